/**
 * Turns what happens into log lines and metrics: one line per new, reopened or resolved event, one per trouble when it
 * begins and one when it ends, none per repetition.
 */
import { LRUCache } from 'lru-cache';
import { group, mutedUntilAnnotation, plural } from '../api/event.ts';
import type { RetryCause } from '../api/stored-event.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/error-message.ts';
import type { RelistCause } from '../lib/relist-cause.ts';
import { untilHint } from '../lib/until.ts';
import type { BudgetState } from '../pipeline/budget.ts';
import type { Ending } from '../pipeline/event-changes.ts';
import type { DirtyReason } from '../pipeline/holdings.ts';
import type { EventFacts, Intent, WritingIntent } from '../pipeline/intent.ts';
import { isWriting } from '../pipeline/intent.ts';
import type { GateCause } from '../pipeline/write-gates.ts';
import { isGateCause } from '../pipeline/write-gates.ts';
import type { Rejection } from '../sources/source.ts';
import { brief } from './brief.ts';
import { LabelBound, otherWords } from './label-bound.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import { RejectionLog } from './rejection-log.ts';

/** What the reporter needs to know of an informer. */
export interface InformerView {
  readonly state: { readonly kind: 'starting' | 'live' | 'stale' | 'forbidden' | 'absent' };
  readonly size: number;
}

type InformerChange =
  | { readonly kind: 'live' }
  | { readonly kind: 'stale' | 'forbidden' | 'absent'; readonly message: string };

export interface ReporterParts {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

const ownEvents = `${plural}.${group}`;
/** Troubles remembered, so that each is told once. */
const rememberedTroubles = 2_000;
/** A server that throttles lets some writes through: it is over when it has not asked to wait for so long. */
const calmMs = 30_000;
/** Of many that are in one line of the log. */
const shownObjects = 5;
/** A cluster may have any number of kinds of constraints. */
const mostInformers = 100;

const hints: Readonly<Record<RetryCause, string>> = {
  unavailable: 'events wait in the queue and are written when the API server answers again',
  throttled:
    'the API server, or what stands before it, asks to write more slowly; events wait in the queue: see who asks (docs/runbooks/ZenWatcherWriteFailures.md)',
  forbidden:
    'allow create, get, update, patch and delete on zenagentevents and zenagentevents/status in the namespace of the events',
  quota: 'raise the ResourceQuota of the namespace or remove resolved events',
  'namespace-missing': 'create the namespace of the events and apply crds/',
  conflict: 'somebody else keeps changing the event',
};

export class Reporter {
  readonly #parts: ReporterParts;
  readonly #told = new LRUCache<string, true>({ max: rememberedTroubles });
  readonly #rejections: RejectionLog;
  readonly #informers = new Map<string, InformerView>();
  readonly #notLiveSinceMs = new Map<string, number>();
  readonly #lineResources = new LabelBound(mostInformers);
  readonly #writeTroubles = new Set<RetryCause>();
  /** Monotonic milliseconds when the server last asked to write more slowly. */
  #throttledMs = 0;
  #isUnreachable = false;

  constructor(parts: ReporterParts) {
    this.#parts = parts;
    this.#rejections = new RejectionLog(parts.logger, this.#told);
  }

  /** Shows an informer in the metrics. */
  watch(resource: string, informer: InformerView): void {
    this.#informers.set(resource, informer);
    this.#notLiveSinceMs.set(resource, this.#parts.clock.monotonicMs());
    this.#parts.metrics.malformedLines.inc({ resource: this.#lineResources.word(resource) }, 0);
  }

  /** What the metrics say of every informer; of those beyond the bound together, as `other`. */
  informers() {
    const nowMs = this.#parts.clock.monotonicMs();
    const all = [...this.#informers].map(([resource, informer]) => {
      const since = this.#notLiveSinceMs.get(resource);
      const isExpected = informer.state.kind !== 'absent';
      return {
        resource,
        isLive: informer.state.kind === 'live',
        isForbidden: informer.state.kind === 'forbidden',
        objects: informer.size,
        staleSeconds: since === undefined || !isExpected ? 0 : (nowMs - since) / 1000,
      };
    });
    const others = all.splice(mostInformers);
    if (others.length === 0) return all;
    return [
      ...all,
      {
        resource: otherWords,
        isLive: others.every(({ isLive }) => isLive),
        isForbidden: others.some(({ isForbidden }) => isForbidden),
        objects: others.reduce((sum, { objects }) => sum + objects, 0),
        staleSeconds: Math.max(...others.map(({ staleSeconds }) => staleSeconds)),
      },
    ];
  }

  informerChanged(resource: string, change: InformerChange): void {
    const { logger, clock } = this.#parts;
    if (change.kind === 'live') {
      this.#notLiveSinceMs.delete(resource);
      logger.info('watching', { resource });
      return;
    }
    if (!this.#notLiveSinceMs.has(resource)) this.#notLiveSinceMs.set(resource, clock.monotonicMs());
    const fields = { resource, reason: brief(change.message) };
    if (change.kind === 'absent' && resource === ownEvents) {
      const hint = 'kubectl apply --server-side -f crds/ (or crd.install of the chart)';
      logger.warn('the CRD of the events is not served: nothing can be written', { ...fields, hint });
    } else if (change.kind === 'absent') logger.info('not served: watched as soon as it is', fields);
    else if (change.kind === 'forbidden') logger.warn('forbidden: allow list and watch on it', fields);
    else logger.warn('cannot be watched at the moment: trying again', fields);
  }

  malformedLine(resource: string, message: string): void {
    this.#parts.metrics.malformedLines.inc({ resource: this.#lineResources.word(resource) });
    this.#parts.logger.warn('the API server sent a malformed watch line', { resource, reason: brief(message) });
  }

  /** A report is to be read again, or for the first time, later. */
  readLater(reason: DirtyReason): void {
    this.#parts.metrics.rereads.inc({ reason });
  }

  /** A listing showed objects otherwise than they were known: news only where a watch had left them out. */
  relistCorrected(resource: string, cause: RelistCause, objects: readonly string[]): void {
    this.#parts.metrics.relistCorrections.inc({ cause }, objects.length);
    if (cause !== 'missed') return;
    const some = objects.slice(0, shownObjects).join(', ');
    this.#parts.logger.warn('a watch had left something out: a listing put it right', {
      resource,
      objects: brief(some),
      count: objects.length,
    });
  }

  /** An entry or a report could not be understood. */
  rejected(source: string, object: string, rejection: Rejection): void {
    this.#parts.metrics.rejections.inc({ source, reason: rejection.reason });
    this.#rejections.add(source, object, rejection);
  }

  /** `isMuted`: an annotation asks not to hear of the event. */
  ended(intent: Intent, ending: Ending, monotonicMs: number, isMuted = false): void {
    const { metrics } = this.#parts;
    const level = isMuted ? 'debug' : 'info';
    metrics.writes.inc({ outcome: ending.kind });
    if (ending.kind === 'rejected') this.#refused(intent, ending.message);
    else if (ending.kind !== 'fenced') this.#writesAgain();
    if (!isWriting(intent)) {
      this.#endedWithoutBody(intent, ending, level);
      return;
    }
    const { facts } = intent;
    if (ending.kind === 'created') {
      metrics.events.inc({ source: intent.source, category: facts.category, severity: facts.severity });
      const seconds = (monotonicMs - intent.readAtMs) / 1000;
      metrics.detectedToWritten(seconds, intent.key, this.#parts.clock.now());
    }
    if (ending.kind === 'created') this.#parts.logger[level]('event created', eventFields(intent, facts));
    else if (ending.kind === 'reopened') this.#parts.logger[level]('event reopened', eventFields(intent, facts));
    else if (ending.kind === 'changed') this.#parts.logger.debug('event changed', eventFields(intent, facts));
  }

  #endedWithoutBody(intent: Exclude<Intent, WritingIntent>, { kind }: Ending, level: 'info' | 'debug'): void {
    const { logger } = this.#parts;
    const fields = { event: intent.key, source: intent.source };
    if (intent.kind === 'resolved' && kind === 'resolved') {
      logger[level]('event resolved', { ...fields, reason: intent.reason });
    } else if (intent.kind === 'freshness' && kind === 'changed') {
      logger.debug('event freshness changed', { ...fields, reason: intent.stale ?? 'Reported' });
    } else if (intent.kind === 'removal' && kind === 'removed') {
      logger.debug('event removed', { ...fields, reason: intent.reason ?? 'ttl' });
    }
  }

  delayed(cause: RetryCause, message: string): void {
    this.#parts.metrics.retries.inc({ cause });
    if (cause === 'throttled') this.#throttledMs = this.#parts.clock.monotonicMs();
    if (isGateCause(cause) || this.#writeTroubles.has(cause)) return;
    this.#writeTroubles.add(cause);
    this.#notWritten(cause, message);
  }

  /** The server does not allow to write in a namespace, or does again. */
  gateChanged(cause: GateCause, namespace: string, isStopped: boolean, message: string): void {
    if (isStopped) this.#notWritten(cause, message, { namespace });
    else this.#parts.logger.info('events are written again', { causes: cause, namespace });
  }

  /** The event budget is used up, or all findings have events of their own again. */
  cappedChanged(isCapped: boolean, { limit, folded }: BudgetState): void {
    const { logger } = this.#parts;
    const sum = [...folded.values()].reduce((total, one) => total + one, 0);
    if (isCapped)
      logger.warn('the event budget is used up: findings are folded into summaries', { limit, folded: sum });
    else logger.info('all findings have events of their own again', { limit });
  }

  #notWritten(cause: RetryCause, message: string, where: { readonly namespace?: string } = {}): void {
    const fields = { cause, ...where, reason: brief(message), hint: hints[cause] };
    this.#parts.logger.warn('events cannot be written at the moment', fields);
  }

  tampered(intent: Intent, action: 'replaced' | 'mended'): void {
    this.#parts.metrics.tampered.inc({ action });
    this.#parts.logger.warn('event was not as we wrote it: put right', {
      event: intent.key,
      action,
      source: intent.source,
    });
  }

  /** An annotation that should mute an event says no time: told once per event and text. */
  malformedMute(event: string, text: string): void {
    const key = JSON.stringify([event, text]);
    if (this.#told.has(key)) return;
    this.#told.set(key, true);
    this.#parts.metrics.malformedMutes.inc();
    this.#parts.logger.warn('annotation mutes nothing: it says no time', {
      event,
      annotation: mutedUntilAnnotation,
      value: brief(text),
      hint: untilHint,
    });
  }

  moved(name: string, from: string, to: string): void {
    this.#parts.metrics.moved.inc();
    this.#parts.logger.debug('event moved', { event: name, from, to });
  }

  /** Events were found in namespaces that they do not belong to, or the last of them was moved. */
  misplaced(count: number): void {
    if (count > 0) this.#parts.logger.info('events are moved to the namespaces that they belong to', { events: count });
    else this.#parts.logger.info('all events are in the namespaces that they belong to');
  }

  rereadFailed(object: string, error: unknown): void {
    const message = messageOf(error);
    if (this.#told.has(object)) return;
    this.#told.set(object, true);
    this.#parts.logger.warn('report cannot be read again at the moment', {
      object: brief(object),
      reason: brief(message),
    });
  }

  /** More than half of a tool's reports of one kind vanished at once, or one spoke again after that. */
  haltChanged(channel: string, isHalted: boolean): void {
    const { logger } = this.#parts;
    if (isHalted) {
      logger.warn('most reports vanished at once: nothing of theirs is resolved until one speaks again', { channel });
    } else logger.info('reports speak again', { channel });
  }

  /** The end. `left` events were not written in time; what only a webhook told of (`sent`) nobody finds again. */
  stopped(drained: boolean, left: number, sent: number): void {
    const level = sent > 0 ? 'warn' : 'info';
    this.#parts.logger[level]('zen-watcher stopped', { drained, left, sent });
  }

  serverUnreachable(message: string): void {
    this.#isUnreachable = true;
    this.#parts.logger.warn('the API server cannot be reached: trying again', { reason: brief(message) });
  }

  serverReached(): void {
    if (!this.#isUnreachable) return;
    this.#isUnreachable = false;
    this.#parts.logger.info('the API server answers again');
  }

  #refused(intent: Intent, message: string): void {
    this.#parts.logger.error('the API server refuses an event', {
      event: intent.key,
      source: intent.source,
      reason: brief(message),
    });
  }

  #writesAgain(): void {
    if (this.#writeTroubles.size === 0) return;
    const isCalm = this.#parts.clock.monotonicMs() - this.#throttledMs >= calmMs;
    const over = [...this.#writeTroubles].filter((cause) => cause !== 'throttled' || isCalm);
    for (const cause of over) this.#writeTroubles.delete(cause);
    const causes = over.join(',');
    if (causes !== '' && causes !== 'conflict') this.#parts.logger.info('events are written again', { causes });
  }
}

function eventFields(intent: Intent, facts: EventFacts) {
  return {
    event: intent.key,
    source: intent.source,
    severity: facts.severity,
    category: facts.category,
    type: facts.eventType,
    subject: facts.subject,
    namespace: facts.resourceNamespace,
    title: facts.title,
  };
}
