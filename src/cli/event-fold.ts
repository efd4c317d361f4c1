/** The events of one run: findings with one identity are one event, as they are in a cluster. */
import type { ZenAgentEvent } from '../api/event.ts';
import { severityRank } from '../api/words.ts';
import { canonicalJson, hash52 } from '../lib/hash.ts';
import { buildEvent } from '../pipeline/event-builder.ts';
import { identify, OwnerResolver, reportKeyHash } from '../pipeline/identity.ts';
import { noPods } from '../pipeline/owner.ts';
import { objectKey } from '../pipeline/report-table.ts';
import type { Judge } from '../pipeline/rules.ts';
import { SignalLedger } from '../pipeline/signal-ledger.ts';
import type { Finding, Origin, Reading, SignalNature } from '../sources/source.ts';

interface Folded {
  readonly event: ZenAgentEvent;
  readonly rule: string;
  readonly reportedAtMs: number;
  readonly tally: Tally;
  readonly copyOf: string | undefined;
}

/** How often a signal happened, and when. State findings do not add up: two reports may hold the same one. */
interface Tally {
  readonly count: number;
  readonly firstMs: number | undefined;
  readonly lastMs: number | undefined;
}

export interface FoldOptions {
  /** Namespace of the events. */
  readonly namespace: string;
  readonly cluster?: string | undefined;
  /** Which findings become events; all where nothing is said. */
  readonly judge?: Judge | undefined;
}

/** Collects findings and gives their events. */
export class EventFold {
  readonly #events = new Map<string, Folded>();
  /** Ids of occurrences that were counted: what is in two files happened once. */
  readonly #counted = new Set<string>();
  /** Totals of objects that count: the same object may be in two files. */
  readonly #ledger = new SignalLedger();
  /** Sources of which a report was read. */
  readonly #read = new Set<string>();
  /** Hashes of the keys of reports that were read to their end: what they do not hold is not there. */
  readonly #completeReports = new Set<string>();
  readonly #options: FoldOptions;
  /** How many findings the rules left out. */
  withheld = 0;

  constructor(options: FoldOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#events.size;
  }

  /** How many events are left out because they are copies of what was read from the tool itself. */
  get copies(): number {
    return [...this.#events.values()].filter((folded) => this.#isCopy(folded)).length;
  }

  /** Whether a complete report with that key (annotation `zen.kube-zen.io/report`) was read. */
  isReported(reportKey: string): boolean {
    return this.#completeReports.has(reportKey);
  }

  /** What people filter and mute the event by: a CVE, policy/rule, a check id. */
  ruleOf(event: string): string | undefined {
    return this.#events.get(event)?.rule;
  }

  /** Adds what a report says. `source`: the name of the source that read it. */
  add(reading: Reading, now: Date, source: string): void {
    this.#read.add(source);
    // The tool has not looked yet: nothing follows from what it says.
    if (reading.completeness === 'not-yet') return;
    const owners = new OwnerResolver(noPods);
    const reportKey = reportKeyHash(reading.reportKey, owners);
    if (reading.completeness === 'complete') this.#completeReports.add(reportKey);
    const reportedAtMs = reading.reportedAt?.getTime() ?? 0;
    const { namespace, cluster, judge } = this.#options;
    for (const finding of reading.findings) {
      const { kind, severity } = judge?.(finding, owners) ?? { kind: 'accepted', severity: finding.severity };
      if (kind !== 'accepted') {
        this.withheld += 1;
        continue;
      }
      const identity = identify(finding, owners);
      const resource = owners.resolve(finding.resource);
      const event = buildEvent(
        { finding, severity, identity, resource, reportKey, origin: reading.origin },
        { namespace, detectedAt: now, cluster },
      );
      const folded: Folded = {
        event,
        rule: finding.rule,
        reportedAtMs,
        tally: this.#tallyOf(finding, identity.name, reading.origin),
        copyOf: finding.copyOf,
      };
      const other = this.#events.get(identity.name);
      this.#events.set(identity.name, other === undefined ? folded : fold(other, folded));
    }
  }

  /** All events with their status, most severe first, then by name. */
  sorted(): ZenAgentEvent[] {
    return [...this.#events.values()]
      .filter((folded) => !this.#isCopy(folded))
      .sort(
        ({ event: a }, { event: b }) =>
          severityRank(a.spec.severity) - severityRank(b.spec.severity) || (a.metadata.name < b.metadata.name ? -1 : 1),
      )
      .map(withStatus);
  }

  #isCopy({ copyOf }: Folded): boolean {
    return copyOf !== undefined && this.#read.has(copyOf);
  }

  #tallyOf({ nature }: Finding, name: string, origin: Origin): Tally {
    if (nature.kind === 'state') return { count: 1, firstMs: undefined, lastMs: undefined };
    const { firstAt = nature.at, at } = nature;
    return { count: this.#countOf(nature, name, origin), firstMs: firstAt.getTime(), lastMs: at.getTime() };
  }

  #countOf(nature: SignalNature, name: string, origin: Origin): number {
    if (nature.cumulative === true && origin.name !== '') {
      const object = hash52(objectKey(origin));
      const owed = this.#ledger.owed(name, object, nature, { untilMs: 0, count: 0 });
      this.#ledger.note(name, object, nature);
      return owed;
    }
    const ids = nature.occurrenceIds?.map((id) => `${name} ${id}`);
    const fresh = ids?.filter((id) => !this.#counted.has(id));
    for (const id of fresh ?? []) this.#counted.add(id);
    return fresh?.length ?? nature.occurrences;
  }
}

/** The better described of the two, with what both counted. */
function fold(a: Folded, b: Folded): Folded {
  const { event, rule, reportedAtMs, copyOf } = isBetter(b, a) ? b : a;
  const isState = a.tally.firstMs === undefined;
  const times = [a.tally.firstMs, a.tally.lastMs, b.tally.firstMs, b.tally.lastMs].filter((ms) => ms !== undefined);
  const tally = {
    count: isState ? 1 : a.tally.count + b.tally.count,
    firstMs: isState ? undefined : Math.min(...times),
    lastMs: isState ? undefined : Math.max(...times),
  };
  return { event, rule, reportedAtMs, tally, copyOf };
}

/** More severe, else newer, else first in an order of its content: never by the order of files or entries. */
function isBetter(a: Folded, b: Folded): boolean {
  const bySeverity = severityRank(a.event.spec.severity) - severityRank(b.event.spec.severity);
  if (bySeverity !== 0) return bySeverity < 0;
  if (a.reportedAtMs !== b.reportedAtMs) return a.reportedAtMs > b.reportedAtMs;
  return canonicalJson(a.event.spec) < canonicalJson(b.event.spec);
}

function withStatus({ event, tally }: Folded): ZenAgentEvent {
  const { count, firstMs, lastMs } = tally;
  const times =
    firstMs === undefined || lastMs === undefined
      ? {}
      : { firstSeen: new Date(firstMs).toISOString(), lastSeen: new Date(lastMs).toISOString() };
  return { ...event, status: { phase: 'Active', count, ...times } };
}
