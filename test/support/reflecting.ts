/** A reflector on a misbehaving server, with waits that are written down instead of waited for. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { KubeConfig } from '@kubernetes/client-node';
import { KubeClient, type KubeClientOptions } from '../../src/kube/client.ts';
import { Reflector, type ReflectorOptions, type ReflectorTiming } from '../../src/kube/reflector.ts';
import { type Clock, systemClock } from '../../src/lib/clock.ts';
import { MisbehavingServer, type Step } from './misbehaving-server.ts';
import { Recorder } from './recorder.ts';

/** The collection that misbehaving servers have. */
export const widgets = { group: 'test.example', version: 'v1', resource: 'widgets' };

export function clientOf(kubeConfig: KubeConfig, options: Partial<KubeClientOptions> = {}): KubeClient {
  return new KubeClient(kubeConfig, {
    clock: systemClock,
    connections: 4,
    timeoutMs: 60_000,
    userAgent: 'zen-watcher-test',
    ...options,
  });
}

export interface ReflectingOptions {
  readonly reflector?: Partial<ReflectorOptions>;
  readonly timing?: Partial<ReflectorTiming>;
  readonly client?: Partial<KubeClientOptions>;
  readonly prepare?: (recorder: Recorder) => void;
}

export interface Reflecting {
  readonly server: MisbehavingServer;
  readonly recorder: Recorder;
  readonly reflector: Reflector;
  readonly client: KubeClient;
  /** Milliseconds that the reflector wanted to wait, one by one. */
  readonly pauses: number[];
}

/** Plays the steps to a reflector while `test` runs; ends both afterwards, and checks that both do end. */
export async function reflecting(
  steps: readonly Step[],
  test: (parts: Reflecting) => Promise<void>,
  { reflector: more, timing, client: clientOptions, prepare }: ReflectingOptions = {},
): Promise<void> {
  const server = await new MisbehavingServer().play(...steps).listen();
  const client = clientOf(server.kubeConfig(), clientOptions);
  const recorder = new Recorder();
  prepare?.(recorder);
  const pauses: number[] = [];
  const reflector = new Reflector(
    {
      client,
      collection: widgets,
      shape: 'full',
      clock: systemClock,
      random: () => 0.5,
      timing: { watchSeconds: 60, ...timing },
      async pause(milliseconds) {
        pauses.push(milliseconds);
        await nextTurn();
      },
      ...more,
    },
    recorder,
  );
  reflector.start();
  try {
    await test({ server, recorder, reflector, client, pauses });
  } finally {
    await reflector.stop();
    await client.close();
    await server.close();
  }
}

/** A clock that a test sets. */
export class SetClock implements Clock {
  nowMs = 1_000_000;

  now(): Date {
    return new Date(this.nowMs);
  }

  monotonicMs(): number {
    return this.nowMs;
  }
}
