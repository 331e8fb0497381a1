import { FrameDecoder } from "../audio/base64.ts";
import { DtmfDetector } from "../audio/dtmf.ts";
import type { MediaLeg } from "../carriers/carrier.ts";

/**
 * A leg whose carrier tells of no keys: they are heard in the caller's sound, and told behind the frame in which they
 * became certain. The sound itself goes on as it is.
 */
export function withKeyEar(leg: MediaLeg): MediaLeg {
  const detector = new DtmfDetector();
  const decoder = new FrameDecoder();
  return {
    legId: leg.legId,
    streamId: leg.streamId,
    token: leg.token,
    get bufferedBytes() {
      return leg.bufferedBytes;
    },
    sendAudio: (audio) => leg.sendAudio(audio),
    mark: (name) => leg.mark(name),
    clear: () => leg.clear(),
    together: (sends) => leg.together(sends),
    listen: (listener) =>
      leg.listen({
        audio(base64) {
          listener.audio(base64);
          for (const key of detector.hear(decoder.decode(base64))) listener.dtmf(key);
        },
        marked: (name) => listener.marked(name),
        dtmf: (digit) => listener.dtmf(digit),
        unrecognised: (what) => listener.unrecognised(what),
        closed: (how) => listener.closed(how),
      }),
    close: () => leg.close(),
  };
}
