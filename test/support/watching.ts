/** The project's own client and reflector against a real API server, with an ear on the line. */
import type { KubeRequest, KubeStream } from '../../src/kube/client.ts';
import { KubeClient } from '../../src/kube/client.ts';
import { KubeError } from '../../src/kube/kube-error.ts';
import type { Collection } from '../../src/kube/paths.ts';
import { Reflector, type ReflectorOptions, type ReflectorTiming } from '../../src/kube/reflector.ts';
import type { WholeAnswer } from '../../src/kube/whole-answer.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { kubeConfigFor } from './misbehaving-server.ts';
import { Recorder } from './recorder.ts';

export interface WatchingOptions {
  readonly collection: Collection;
  readonly token?: string;
  /** In place of the control plane's address. */
  readonly server?: string;
  readonly timing?: Partial<ReflectorTiming>;
  readonly reflector?: Partial<ReflectorOptions>;
  /** Refuse streaming lists as 1.33 does, so that the reflector lists by pages. */
  readonly paged?: boolean;
}

/** A client of the control plane, its token by default the admin's. */
export function clientFor(controlPlane: ControlPlane, options: { server?: string; token?: string } = {}): KubeClient {
  const { server = controlPlane.server, token = controlPlane.adminToken } = options;
  return new KubeClient(kubeConfigFor(server, { token }, controlPlane.caPath), {
    clock: systemClock,
    connections: 4,
    timeoutMs: 30_000,
    userAgent: 'zen-watcher-test',
  });
}

/** A running reflector, what it tells, and what it asks. */
export class Watching {
  readonly recorder = new Recorder();
  readonly reflector: Reflector;
  readonly #client: KubeClient;
  readonly #isPaged: boolean;
  /** `stream list`, `watch` or `list`, and the status answered; 0 for none. */
  readonly asked: string[] = [];
  /** resourceVersions that watches were asked for from. */
  readonly places: string[] = [];
  /** All that was received on streams and lists. */
  received = '';
  /** Fails the next watch. */
  failNext: KubeError | undefined;

  constructor(controlPlane: ControlPlane, options: WatchingOptions) {
    this.#client = clientFor(controlPlane, options);
    this.#isPaged = options.paged ?? false;
    // The reflector uses these two methods only.
    const tapped = { request: this.#request, stream: this.#stream } as unknown as KubeClient;
    this.reflector = new Reflector(
      {
        client: tapped,
        collection: options.collection,
        shape: 'full',
        clock: systemClock,
        random: Math.random,
        timing: { backoffFirstMs: 50, backoffMaximumMs: 500, ...options.timing },
        ...options.reflector,
      },
      this.recorder,
    );
  }

  start(): this {
    this.reflector.start();
    return this;
  }

  async stop(): Promise<void> {
    await this.reflector.stop();
    await this.#client.close();
  }

  /** How often it asked so, whatever the answer. */
  count(what: string): number {
    return this.asked.filter((each) => each.startsWith(`${what} `)).length;
  }

  readonly #request = async (request: KubeRequest): Promise<WholeAnswer> => {
    const answer = await this.#noted('list', () => this.#client.request(request));
    this.received += answer.body.toString();
    return answer;
  };

  readonly #stream = async (request: KubeRequest): Promise<KubeStream> => {
    const isListing = request.path.includes('sendInitialEvents');
    if (!isListing) this.places.push(new URL(request.path, 'http://x').searchParams.get('resourceVersion') ?? '');
    const stream = await this.#noted(isListing ? 'stream list' : 'watch', () => {
      const failure = isListing && this.#isPaged ? refusal : this.failNext;
      if (failure === undefined) return this.#client.stream(request);
      if (failure !== refusal) this.failNext = undefined;
      return Promise.reject(failure);
    });
    stream.body.on('data', (chunk: Buffer) => {
      this.received += chunk.toString();
    });
    stream.body.pause();
    return stream;
  };

  async #noted<Answer extends { readonly status: number }>(what: string, send: () => Promise<Answer>): Promise<Answer> {
    try {
      const answer = await send();
      this.asked.push(`${what} ${answer.status}`);
      return answer;
    } catch (error) {
      this.asked.push(`${what} ${error instanceof KubeError ? error.status : 'aborted'}`);
      throw error;
    }
  }
}

const refusal = new KubeError({ status: 422, reason: 'Invalid', message: 'sendInitialEvents is forbidden for watch' });
