import { decodeBase64 } from "../audio/base64.ts";
import { DtmfDetector } from "../audio/dtmf.ts";
import type { MediaLeg } from "../carriers/carrier.ts";

/** Bytes of a frame that are listened to; it usually has 160. */
const LONGEST_FRAME = 1_600;

/**
 * A leg whose carrier tells of no keys: they are heard in the caller's sound, and told behind the frame in which they
 * became certain. The sound itself goes on as it is.
 */
export function withKeyEar(leg: MediaLeg): MediaLeg {
  const detector = new DtmfDetector();
  const frame = new Uint8Array(LONGEST_FRAME);
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
          const keys = detector.hear(frame.subarray(0, decodeBase64(base64, frame)));
          for (const key of keys) listener.dtmf(key);
        },
        marked: (name) => listener.marked(name),
        dtmf: (digit) => listener.dtmf(digit),
        unrecognised: (what) => listener.unrecognised(what),
        closed: (how) => listener.closed(how),
      }),
    close: () => leg.close(),
  };
}
