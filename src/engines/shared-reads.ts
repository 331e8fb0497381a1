import { connect as connectPlain, isIP, type OnReadOpts, type Socket, type TcpNetConnectOpts } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";

/** What a request of `ws` hands over when it asks for its connection. */
export type ConnectOptions = TcpNetConnectOpts & ConnectionOptions;

/** As much as Node reads at once by itself. */
const ROOM_BYTES = 64 * 1024;

/**
 * Connections that read into one and the same memory, for clients of `ws`: what one of them brought is dealt with before
 * another is read. By itself Node gives each read memory of its own, and every so many megabytes of that V8 collects its
 * old memory, on the core on which the calls are.
 */
export class SharedReads {
  #room: Buffer | undefined;
  readonly #takers = new WeakMap<object, (bytes: Buffer) => void>();

  /** Connects like `net.connect`, or `tls.connect` when it is to be `secure`. The stream brings what nobody `taps`. */
  connect(options: ConnectOptions, secure: boolean): Socket {
    this.#room ??= Buffer.allocUnsafeSlow(ROOM_BYTES);
    const onread: OnReadOpts = {
      buffer: this.#room,
      callback: (count, room) => {
        const bytes = (room as Buffer).subarray(0, count);
        const take = this.#takers.get(socket);
        if (take) take(bytes);
        else socket.push(Buffer.from(bytes));
        return true;
      },
    };
    const reading = { ...options, path: undefined, onread }; // the request's path is its URL's, not that of a pipe
    const socket = secure ? connectTls({ ...reading, servername: serverName(options) }) : connectPlain(reading);
    return socket;
  }

  /** From now on what a connection reads goes to `take`, valid during the call of it, and no more to its stream. */
  tap(connection: object, take: (bytes: Buffer) => void): void {
    this.#takers.set(connection, take);
  }
}

// --- Internal helpers ---

/** An address is no name: naming it in the handshake is forbidden (RFC 6066, 3). */
function serverName({ servername, host = "" }: ConnectionOptions): string {
  return servername || (isIP(host) === 0 ? host : "");
}
