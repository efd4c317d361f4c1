/** Watches the names of the tools' policies: a finding ends when the policy that it violates is deleted. */
import type { ServedResources } from './kube/discovery.ts';
import type { InformerOptions } from './kube/informer.ts';
import { Informer } from './kube/informer.ts';
import type { PolicyIntake, Source } from './sources/source.ts';
import type { Reporter } from './telemetry/reporter.ts';

export interface PolicyInformersParts {
  readonly sources: readonly Source[];
  readonly informer: Pick<InformerOptions, 'client' | 'clock' | 'random' | 'timing'>;
  readonly reporter: Reporter;
  /** A policy was deleted: what it found may be over. */
  policyGone(): void;
}

interface Watched {
  readonly intake: PolicyIntake;
  readonly informer: Informer;
  readonly names: ReadonlySet<string>;
}

export class PolicyInformers {
  readonly #parts: PolicyInformersParts;
  readonly #watched: readonly Watched[];

  constructor(parts: PolicyInformersParts) {
    this.#parts = parts;
    this.#watched = parts.sources.flatMap(({ policies = [] }) => policies.map((intake) => this.#watch(intake)));
  }

  /** Starts and stops informers by what the server serves. */
  follow(served: ServedResources): void {
    for (const { informer } of this.#watched) void informer.follow(served);
  }

  /**
   * Whether every kind of policy that the findings of a source can have is known, and none has that name. False while any
   * of them cannot be seen, and where the cluster serves none of them.
   */
  isGone(source: string, policy: string): boolean {
    const kinds = this.#watched.filter(({ intake }) => intake.emits === source);
    const served = kinds.filter(({ informer }) => informer.state.kind !== 'absent');
    if (served.length === 0) return false;
    return served.every(
      ({ informer, names }) => informer.state.kind === 'live' && informer.isSynced && !names.has(policy),
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.#watched.map(({ informer }) => informer.stop()));
  }

  #watch(intake: PolicyIntake): Watched {
    const { reporter, policyGone } = this.#parts;
    const names = new Set<string>();
    const label = `${intake.resource}.${intake.group}`;
    const nameOf = (namespace: string | undefined, name: string) => (namespace ? `${namespace}/${name}` : name);
    const informer = new Informer(
      { ...this.#parts.informer, ...intake, shape: 'metadata' },
      {
        object: ({ metadata: { namespace, name } }) => names.add(nameOf(namespace, name)),
        gone(namespace, name) {
          names.delete(nameOf(namespace, name));
          policyGone();
        },
        listingBegan: () => {},
        listingComplete: () => {},
        // Tools bring only some of these kinds: that one is not served is no news.
        stateChanged: (state) => {
          if (state.kind !== 'absent') reporter.informerChanged(label, state);
        },
        malformed: (message) => reporter.malformedLine(label, message),
        corrected: (cause, keys) => reporter.relistCorrected(label, cause, keys),
        room: () => Promise.resolve(),
      },
    );
    reporter.watch(label, informer);
    return { intake, informer, names };
  }
}
