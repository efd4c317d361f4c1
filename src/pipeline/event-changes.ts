/**
 * Brings one event on the server to what an intent says. What has to be sent is decided here, at the last moment, from
 * what the server is known to have; what stands in between is read and put right.
 */
import type { ZenAgentEvent } from '../api/event.ts';
import { freshCondition } from '../api/event.ts';
import type { RetryCause, StatusPatch, StoredEvent } from '../api/stored-event.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/error-message.ts';
import type { RejectionReason } from '../sources/source.ts';
import { contentHash } from './event-builder.ts';
import type { EventIndex } from './event-index.ts';
import type { MoveStep } from './event-move.ts';
import { moveEvent } from './event-move.ts';
import type { FencedAnswer } from './fenced-store.ts';
import { FencedStore } from './fenced-store.ts';
import { freshness } from './freshness.ts';
import type {
  FreshnessIntent,
  Intent,
  PresentIntent,
  RemovalIntent,
  ResolvedIntent,
  SignalIntent,
  WritingIntent,
} from './intent.ts';
import { isWriting, mayCarryOut } from './intent.ts';
import { whereItIs } from './intent-place.ts';
import type { OwnEvents } from './own-events.ts';
import { isEditedByOthers } from './own-events.ts';
import type { Placement } from './placement.ts';
import type { EventStore, MayWrite } from './ports.ts';
import { isTheSame, keepWhatIsNotOurs, later, mustBeTold } from './stored-content.ts';
import { addUnanswered, created, createUnanswered, leftOf, mayHaveArrived } from './unanswered.ts';

/** How an intent ended. */
export type Ending =
  | { readonly kind: 'created' | 'changed' | 'reopened' | 'resolved' | 'removed' | 'moved' | 'unchanged' | 'fenced' }
  | { readonly kind: 'rejected'; readonly reason: RejectionReason; readonly message: string };

/** To be tried again; `rest` is what is left of the intent where a part of it was done. */
export interface Again {
  readonly kind: 'again';
  readonly cause: RetryCause;
  readonly message: string;
  readonly afterMs: number;
  readonly rest?: Intent;
}

/** How far an intent came. */
export type Step = Ending | Again;

/** The content was put in place; what else the intent says is still to be done. */
interface Replaced {
  readonly kind: 'replaced';
  readonly event: StoredEvent;
}

export interface EventChangesParts {
  readonly store: EventStore;
  readonly index: EventIndex;
  readonly own: OwnEvents;
  readonly clock: Clock;
  /** Asked last before every write. */
  readonly mayWrite: MayWrite;
  /** An event of ours was found with content that is not ours; it was put right. */
  tampered(intent: Intent, what: 'replaced' | 'mended'): void;
  /** Without one every event is where its intent says. */
  readonly placement?: Placement | undefined;
  /** An event was moved to the namespace that it belongs to. */
  moved?(name: string, from: string, to: string): void;
}

/** How often one intent re-reads a conflicting event before it goes back to the queue. */
const conflictRounds = 4;

export class EventChanges {
  readonly #parts: EventChangesParts;

  constructor(parts: EventChangesParts) {
    this.#parts = parts;
  }

  /** Carries an intent out. `writes` counts the requests that changed something or tried to. Does not throw. */
  async carryOut(intent: Intent): Promise<{ readonly step: Step; readonly writes: number }> {
    const { own, store, mayWrite } = this.#parts;
    const isAllowed = () => mayCarryOut(intent, mayWrite);
    if (!isAllowed()) return { step: { kind: 'fenced' }, writes: 0 };
    const fenced = new FencedStore(store, isAllowed);
    const change = new Change(this.#parts, fenced);
    own.begin(intent.key);
    const step = await change.carryOut(intent).catch(unread);
    own.end(intent.key);
    const { left } = change;
    return {
      step: step.kind === 'again' && left !== undefined ? { ...step, rest: left } : step,
      writes: fenced.writes,
    };
  }
}

/** One intent on its way. */
class Change {
  readonly #parts: EventChangesParts;
  readonly #store: FencedStore;
  /** What is left of a signal's intent. */
  left: SignalIntent | undefined;

  constructor(parts: EventChangesParts, store: FencedStore) {
    this.#parts = parts;
    this.#store = store;
  }

  /** The parts of a move (or what is left of one) come first: until they are joined, there is no one event to change. */
  async carryOut(intent: Intent): Promise<Step> {
    const { own, placement } = this.#parts;
    if (placement === undefined) return this.#carryOutThere(intent);
    if (intent.kind === 'move') return stepForMove(await this.#move(intent, placement));
    if (own.elsewhere(intent.key) !== undefined) await this.#move(intent, placement);
    const step = await this.#carryOutThere(whereItIs(intent, this.#parts.index, placement));
    // The namespace of a resource went away under us: that stops no other, and the next try finds the event's new place.
    const isVanished =
      step.kind === 'again' && step.cause === 'namespace-missing' && intent.namespace !== placement.central;
    return isVanished ? { ...step, cause: 'conflict' } : step;
  }

  #move(intent: Intent, placement: Placement): Promise<MoveStep> {
    const { index, own, moved } = this.#parts;
    const told = (name: string, from: string, to: string) => moved?.(name, from, to);
    return moveEvent(intent.key, { store: this.#store, index, own, placement, moved: told });
  }

  #carryOutThere(intent: Intent): Promise<Step> {
    switch (intent.kind) {
      case 'present':
        return this.#present(intent);
      case 'resolved':
        return this.#resolve(intent);
      case 'freshness':
        return this.#converge(intent, (current) => this.#setFreshness(intent, current));
      case 'removal':
        return this.#converge(intent, (current) => this.#remove(intent, current));
      case 'signal':
        return this.#signal(intent);
      case 'move':
        return Promise.resolve({ kind: 'unchanged' });
    }
  }

  async #present(intent: PresentIntent): Promise<Step> {
    const { index, own } = this.#parts;
    const row = index.find(intent.key);
    if (!index.isOnServer(row)) {
      const answer = await this.#store.create(intent.namespace, intent.body);
      if (answer.kind === 'created') {
        own.created(answer, intent);
        const created = { kind: 'created' } as const;
        return intent.count === undefined ? created : this.#setCount(intent, answer.event, created);
      }
      if (answer.kind !== 'conflict') return stepFor(answer);
    } else if (index.isActive(row) && index.storedHash(row) === intent.contentHash) {
      if ((intent.count ?? index.count(row)) === index.count(row)) return { kind: 'unchanged' };
    }
    return this.#converge(intent, (current) => this.#bringTo(intent, current));
  }

  /** Makes the stored event what the intent says: content first, then phase. */
  async #bringTo(intent: PresentIntent, current: StoredEvent): Promise<Step | 'conflict'> {
    let event = current;
    let changed: Step = { kind: 'unchanged' };
    if (contentHash(current) !== intent.contentHash) {
      const replaced = await this.#replace(intent, current);
      if (replaced === 'conflict' || replaced.kind !== 'replaced') return replaced;
      event = replaced.event;
      changed = { kind: 'changed' };
    }
    if (event.status?.phase === 'Resolved') {
      const lastSeen = this.#parts.clock.now().toISOString();
      const answer = await this.#patch(event, { phase: 'Active', reason: null, resolvedAt: null, lastSeen });
      if (answer.kind !== 'changed') return answer.kind === 'conflict' ? 'conflict' : stepFor(answer);
      event = answer.event;
      changed = { kind: 'reopened' };
    }
    return this.#setCount(intent, event, changed);
  }

  /** Puts the intent's content in place of the stored one. */
  async #replace(intent: WritingIntent, current: StoredEvent): Promise<Replaced | Step | 'conflict'> {
    const wanted = JSON.parse(intent.body) as ZenAgentEvent;
    const answer = await this.#store.replace(current, keepWhatIsNotOurs(wanted, current));
    if (answer.kind !== 'changed') return answer.kind === 'conflict' ? 'conflict' : stepFor(answer);
    if (isEditedByOthers(current)) this.#parts.tampered(intent, 'mended');
    this.#parts.own.answered(answer.event);
    return { kind: 'replaced', event: answer.event };
  }

  /** Sees to it that status.count is what the intent says. A failure leaves the intent to be carried out again. */
  async #setCount(intent: PresentIntent, event: StoredEvent, done: Ending): Promise<Step> {
    const { count } = intent;
    if (count === undefined || count === (event.status?.count ?? 1)) return done;
    const answer = await this.#patch(event, { count });
    if (answer.kind === 'changed') return done.kind === 'unchanged' ? { kind: 'changed' } : done;
    if (answer.kind !== 'conflict') return stepFor(answer);
    return { kind: 'again', cause: 'conflict', message: 'the event changed under us', afterMs: 0 };
  }

  async #setFreshness({ stale, at }: FreshnessIntent, current: StoredEvent): Promise<Step | 'conflict'> {
    const others = (current.status?.conditions ?? []).filter(({ type }) => type !== freshCondition);
    const before = current.status?.conditions?.find(({ type }) => type === freshCondition);
    const isStale = before?.status === 'False';
    if (current.status?.phase === 'Resolved' || isStale === (stale !== undefined)) return { kind: 'unchanged' };
    const answer = await this.#patch(current, { conditions: [...others, freshness(stale, at)] });
    if (answer.kind === 'conflict') return 'conflict';
    return answer.kind === 'changed' ? { kind: 'changed' } : stepFor(answer);
  }

  async #remove({ reason, at }: RemovalIntent, current: StoredEvent): Promise<Step | 'conflict'> {
    let event = current;
    if (event.status?.phase !== 'Resolved') {
      // It is Active again, or was not to be resolved by this intent: what is Active is not deleted.
      if (reason === undefined) return { kind: 'unchanged' };
      const patched = await this.#patch(event, { phase: 'Resolved', reason, resolvedAt: at.toISOString() });
      if (patched.kind !== 'changed') return patched.kind === 'conflict' ? 'conflict' : stepFor(patched);
      event = patched.event;
    }
    const removed = await this.#store.remove(event);
    if (removed.kind === 'conflict') return 'conflict';
    if (removed.kind !== 'changed' && removed.kind !== 'gone') return stepFor(removed);
    this.#parts.own.missing(event.metadata.name, event.metadata.namespace);
    return { kind: 'removed' };
  }

  async #resolve(intent: ResolvedIntent): Promise<Step> {
    const { index, own } = this.#parts;
    const row = index.find(intent.key);
    if (!index.isActive(row)) return { kind: 'unchanged' };
    const patch: StatusPatch = { phase: 'Resolved', reason: intent.reason, resolvedAt: intent.at.toISOString() };
    const version = index.resourceVersion(row);
    const answer = await this.#store.patchStatus(intent.namespace, intent.key, version, patch);
    if (answer.kind === 'changed') {
      own.answered(answer.event);
      return { kind: 'resolved' };
    }
    if (answer.kind === 'gone') {
      own.missing(intent.key, intent.namespace);
      return { kind: 'unchanged' };
    }
    if (answer.kind !== 'conflict') return stepFor(answer);
    return this.#converge(intent, async (current) => {
      if (current.status?.phase === 'Resolved') return { kind: 'unchanged' };
      const patched = await this.#patch(current, patch);
      if (patched.kind === 'conflict') return 'conflict';
      return patched.kind === 'changed' ? { kind: 'resolved' } : stepFor(patched);
    });
  }

  /** A signal's first write creates it, which counts one; what is left is added, at the version that the sum was made on. */
  async #signal(intent: SignalIntent): Promise<Step> {
    const { index } = this.#parts;
    this.left = intent;
    const made = index.isOnServer(index.find(intent.key)) ? 'conflict' : await this.#make(intent);
    return made === 'conflict' ? this.#add(intent) : made;
  }

  /** Makes the event of an intent, and adds what a signal's counts beyond that. */
  async #make(intent: WritingIntent): Promise<Step | 'conflict'> {
    const answer = await this.#store.create(intent.namespace, intent.body);
    if (answer.kind === 'conflict') return 'conflict';
    if (answer.kind === 'created') this.#parts.own.answered(answer.event);
    if (this.left === undefined) return answer.kind === 'created' ? { kind: 'created' } : stepFor(answer);
    if (answer.kind !== 'created') {
      if (mayHaveArrived(answer)) this.left = createUnanswered(this.left);
      return stepFor(answer);
    }
    this.left = created(this.left);
    return this.left.count === 0 ? { kind: 'created' } : this.#add(this.left);
  }

  /**
   * Adds to the count. The content is left as it is, which is a write less, unless the severity rose, the signal returned,
   * or somebody else wrote there. Content comes first: when the count then fails, nothing was counted.
   */
  #add(intent: SignalIntent): Promise<Step> {
    return this.#converge(intent, async (current) => {
      let event = current;
      const left = leftOf(this.left ?? intent, event);
      this.left = left;
      if (left.count === 0) return { kind: left.became ?? 'changed' };
      if (mustBeTold(left, current)) {
        const replaced = await this.#replace(left, current);
        if (replaced === 'conflict' || replaced.kind !== 'replaced') return replaced;
        event = replaced.event;
      }
      const wasResolved = event.status?.phase === 'Resolved';
      const patch: StatusPatch = {
        count: (event.status?.count ?? 1) + left.count,
        ...later(left.lastSeen, event),
        ...(wasResolved ? { phase: 'Active', reason: null, resolvedAt: null } : {}),
      };
      const answer = await this.#patch(event, patch);
      if (answer.kind === 'changed') return { kind: left.became ?? (wasResolved ? 'reopened' : 'changed') };
      this.left = mayHaveArrived(answer) ? addUnanswered(left, event, patch) : left;
      return answer.kind === 'conflict' ? 'conflict' : stepFor(answer);
    });
  }

  async #patch(event: StoredEvent, patch: StatusPatch): Promise<FencedAnswer> {
    const { namespace, name, resourceVersion } = event.metadata;
    const answer = await this.#store.patchStatus(namespace, name, resourceVersion, patch);
    if (answer.kind === 'changed') this.#parts.own.answered(answer.event);
    return answer;
  }

  /**
   * Reads the event and acts on what is there, until no one comes in between. What stands under the name but is not ours
   * (no fingerprint, or another one with the same head) is taken for tampering: removed and made anew.
   */
  async #converge(intent: Intent, act: (current: StoredEvent) => Promise<Step | 'conflict'>): Promise<Step> {
    const { own, tampered } = this.#parts;
    for (let round = 0; round < conflictRounds; round += 1) {
      const current = await this.#store.read(intent.namespace, intent.key);
      if (current !== undefined && isTheSame(current, intent)) {
        own.answered(current);
        const step = await act(current);
        if (step !== 'conflict') return step;
        continue;
      }
      own.missing(intent.key, intent.namespace);
      if (!isWriting(intent)) return { kind: 'unchanged' };
      if (current !== undefined) {
        const removed = await this.#store.remove(current);
        if (removed.kind === 'conflict') continue;
        if (removed.kind !== 'changed' && removed.kind !== 'gone') return stepFor(removed);
        tampered(intent, 'replaced');
      }
      const made = await this.#make(intent);
      if (made !== 'conflict') return made;
    }
    return { kind: 'again', cause: 'conflict', message: 'the event kept changing under us', afterMs: 0 };
  }
}

function stepForMove(step: MoveStep): Step {
  if (step.kind === 'settled') return { kind: 'unchanged' };
  return step.kind === 'moved' ? { kind: step.kind } : stepFor(step);
}

/** What an answer means that is neither success nor a conflict that can be read. */
function stepFor(answer: FencedAnswer): Step {
  switch (answer.kind) {
    case 'fenced':
      return { kind: 'fenced' };
    case 'retry':
      return { kind: 'again', cause: answer.cause, message: answer.message, afterMs: answer.afterMs ?? 0 };
    case 'rejected':
      return { kind: 'rejected', reason: 'refused-by-server', message: answer.message };
    case 'nowhere':
      return { kind: 'rejected', reason: 'namespace-terminating', message: answer.message };
    default:
      return { kind: 'again', cause: 'conflict', message: `unexpected answer ${answer.kind}`, afterMs: 0 };
  }
}

/** The server could not be asked: it says why by its status, where it gave one. */
function unread(error: unknown): Again {
  const message = messageOf(error);
  const { status, retryAfterMs } = error as { readonly status?: unknown; readonly retryAfterMs?: unknown };
  const causes: Readonly<Record<string, RetryCause>> = { 403: 'forbidden', 429: 'throttled' };
  const afterMs = typeof retryAfterMs === 'number' ? retryAfterMs : 0;
  return { kind: 'again', cause: causes[String(status)] ?? 'unavailable', message, afterMs };
}
