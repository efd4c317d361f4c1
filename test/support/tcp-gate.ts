/** A TCP relay in front of a server, which a test can shut or stall: the network between the two. Also counts connections. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export class TcpGate {
  readonly #server = createServer((socket) => this.#relay(socket));
  readonly #target: URL;
  /** Those of clients, each with the one to the server. */
  readonly #open = new Map<Socket, Socket>();
  #isShut = false;
  #isStalled = false;
  /** Connections let through, ever. */
  connections = 0;
  /** Greatest number of connections at one time. */
  mostAtOnce = 0;

  private constructor(target: string) {
    this.#target = new URL(target);
  }

  /** Listens in front of `https://127.0.0.1:port`. */
  static async open(target: string): Promise<TcpGate> {
    const gate = new TcpGate(target);
    await new Promise<void>((resolve) => void gate.#server.listen(0, '127.0.0.1', resolve));
    return gate;
  }

  /** What to use in place of the server's own address. */
  get url(): string {
    return `${this.#target.protocol}//127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** How many connections there are now. */
  get open(): number {
    return this.#open.size;
  }

  /** Cuts every connection and lets no new one through. */
  shut(): void {
    this.#isShut = true;
    for (const socket of this.#open.keys()) socket.destroy();
  }

  /** From now on requests reach the server, but no answer comes back: until reopen() lets them go on, or shut() loses them. */
  stall(): void {
    this.#isStalled = true;
    for (const [socket, upstream] of this.#open) {
      upstream.unpipe(socket);
      upstream.pause();
    }
  }

  /** Ends what shut() and stall() began. */
  reopen(): void {
    this.#isShut = false;
    if (!this.#isStalled) return;
    this.#isStalled = false;
    for (const [socket, upstream] of this.#open) upstream.pipe(socket);
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    this.shut();
    await closed;
  }

  #relay(socket: Socket): void {
    socket.on('error', () => {});
    if (this.#isShut) {
      socket.destroy();
      return;
    }
    this.connections += 1;
    const upstream = connect(Number(this.#target.port), this.#target.hostname);
    this.#open.set(socket, upstream);
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#open.size);
    upstream.on('error', () => socket.destroy()).on('close', () => socket.destroy());
    socket.on('close', () => {
      this.#open.delete(socket);
      upstream.destroy();
    });
    socket.pipe(upstream);
    if (!this.#isStalled) upstream.pipe(socket);
  }
}
