/**
 * Judges what a listing corrected. A listing that was asked for while the watch was up should show nothing new but what changed
 * between the end of the watch and the listing. Whether a difference came about then, or had been left out before, the server
 * says itself: it is asked how the object was at exactly the resourceVersion up to which the watch had told. So nothing has to be
 * assumed of the order of resourceVersions, and nothing is asked while there is no difference.
 */
import type { RelistCause } from '../lib/relist-cause.ts';
import type { KubeClient } from './client.ts';
import { splitKey } from './kube-object.ts';
import { listByName, type Selection } from './list-by-name.ts';
import type { Differences } from './told-objects.ts';

export interface RelistJudgeOptions extends Selection {
  readonly client: KubeClient;
  /** Served by an aggregated API, of whose watch less is expected. */
  readonly isAggregated: boolean;
  /** Nothing is asked or told after it aborts. */
  readonly signal: AbortSignal;
  /** namespace/name of what was corrected. */
  tell(cause: RelistCause, keys: readonly string[]): void;
}

/** As many objects are asked about after one listing: where more was left out, that many prove it. */
const mostAsked = 20;

export class RelistJudge {
  readonly #options: RelistJudgeOptions;
  #wasListed: boolean;
  /** Up to which resourceVersion everything had been told when the listing was asked for. */
  #toldUpTo: string | undefined;
  #judging: Promise<void> = Promise.resolve();
  #isWidened = false;

  /** `wasListed`: something is known already, so that the first listing may correct it. */
  constructor(options: RelistJudgeOptions, wasListed: boolean) {
    this.#options = options;
    this.#wasListed = wasListed;
  }

  /** A listing is asked for, where the watch had told everything up to there ('': it had not). */
  asked(resourceVersion: string): void {
    this.#toldUpTo = resourceVersion === '' ? undefined : resourceVersion;
  }

  /** The listing or the watch broke off: by now something may have changed that was not told. */
  broke(): void {
    this.#toldUpTo = undefined;
  }

  /** More is wanted from the next listing on: what was never told was not to be told. */
  widened(): void {
    this.#isWidened = true;
  }

  /** A whole listing was told; this it showed otherwise than before. */
  listed(shown: Differences): void {
    const { isAggregated, tell } = this.#options;
    const differences = this.#isWidened ? new Map([...shown].filter(([, before]) => before !== undefined)) : shown;
    this.#isWidened = false;
    const at = this.#toldUpTo;
    this.#toldUpTo = undefined;
    if (!this.#wasListed) this.#wasListed = true;
    else if (differences.size === 0) return;
    else if (at === undefined) tell('unwatched', [...differences.keys()]);
    else if (isAggregated) tell('aggregated', [...differences.keys()]);
    else this.#judging = this.#judging.then(() => this.#judge(differences, at));
  }

  /** Resolves when nothing is being asked any more. */
  idle(): Promise<void> {
    return this.#judging;
  }

  async #judge(differences: Differences, at: string): Promise<void> {
    const { signal, tell } = this.#options;
    const missed: string[] = [];
    const unproven: string[] = [...differences.keys()].slice(mostAsked);
    for (const [key, before] of [...differences].slice(0, mostAsked)) {
      if (signal.aborted) return;
      try {
        if ((await this.#versionAt(key, at)) !== before) missed.push(key);
      } catch {
        // Forgotten by the server (410), or it cannot be asked now.
        unproven.push(key);
      }
    }
    if (signal.aborted) return;
    if (missed.length > 0) tell('missed', missed);
    if (unproven.length > 0) tell('unproven', unproven);
  }

  async #versionAt(key: string, at: string): Promise<string | undefined> {
    const { collection } = this.#options;
    const { namespace, name } = splitKey(key);
    const within = namespace === '' ? collection : { ...collection, namespace };
    const moment = { resourceVersion: at, resourceVersionMatch: 'Exact' } as const;
    return (await listByName({ ...this.#options, collection: within }, name, moment))?.metadata.resourceVersion;
  }
}
