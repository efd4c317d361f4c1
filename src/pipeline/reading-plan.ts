/** From a reading to what of it is kept: judged first, since hashing costs most, then named. Decides nothing else. */
import type { Severity } from '../api/words.ts';
import { sourceNamePattern } from '../api/words.ts';
import type { Finding, Reading, Rejection, ResourceReference } from '../sources/source.ts';
import { MalformedReport } from '../sources/source.ts';
import type { Identity, OwnerResolver } from './identity.ts';
import { identify, rawReportKeyHash, reportKeyHash } from './identity.ts';
import type { Judge } from './rules.ts';
import type { Shard, Shards } from './shards.ts';

/** A finding that was accepted, or has an event that stays although it is not, with its name and owner. */
export interface Kept {
  readonly finding: Finding;
  /** After overrides. */
  readonly severity: Severity;
  /** How many occurrences are to be booked by what becomes of it; 0 where they are booked already. */
  readonly occurrences: number;
  readonly name: string;
  readonly identity: Identity;
  readonly resource: ResourceReference;
  readonly shard: Shard;
}

/** What readings are planned by. */
export interface Planning {
  readonly owners: OwnerResolver;
  readonly judge: Judge;
  readonly shards: Pick<Shards, 'of'>;
}

/** A reading with its kept findings named. */
export interface Plan {
  readonly reading: Reading;
  readonly planning: Planning;
  readonly reportKey: string;
  /** The report key as it was while a Pod in it was not known; undefined where no Pod was looked up. */
  readonly formerKey: string | undefined;
  /** The reading's, but never complete when one of its findings could not be named. */
  readonly completeness: Reading['completeness'];
  readonly kept: readonly Kept[];
  /** How many findings are not kept, by account of the books. */
  readonly filtered: number;
  readonly muted: number;
  /** Findings whose mapping threw when they were named. */
  readonly unnamed: readonly Rejection[];
}

/** Plans all readings of one object; those of one report key become one. */
export function planReadings(readings: readonly Reading[], planning: Planning): Plan[] {
  const plans = new Map<string, Plan>();
  for (const reading of readings) {
    const plan = planReading(reading, planning);
    const earlier = plans.get(plan.reportKey);
    plans.set(plan.reportKey, earlier === undefined ? plan : joined(earlier, plan));
  }
  return [...plans.values()];
}

/**
 * The filtered and muted findings of the plan that have one of the names. They are hashed here: call it only where one is
 * missed.
 */
export function withheldButNamed({ reading, planning }: Plan, names: ReadonlySet<string>): Kept[] {
  const { judge, owners } = planning;
  const missed = new Set(names);
  const found: Kept[] = [];
  for (const finding of reading.findings) {
    if (missed.size === 0) break;
    const { kind, severity } = judge(finding, owners);
    if (kind === 'accepted') continue;
    const kept = keep(finding, severity, planning, 0);
    if (!('reason' in kept) && missed.delete(kept.name)) found.push(kept);
  }
  return found;
}

/** A mapping that throws has a bug; the finding that shows it must not stop the others. */
export function unexpected(error: unknown): Rejection {
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { reason: 'malformed', place: '.', message: `could not be mapped (${message})` };
}

/** Why a format gave no reading: its own words, or those for a bug in it. */
export function rejectionOf(error: unknown): Rejection {
  return error instanceof MalformedReport ? error.rejection : unexpected(error);
}

function planReading(reading: Reading, planning: Planning): Plan {
  const { owners, judge } = planning;
  const kept: Kept[] = [];
  const unnamed: Rejection[] = [];
  const withheld = { filtered: 0, muted: 0 };
  for (const finding of reading.findings) {
    const { kind, severity } = judge(finding, owners);
    if (kind !== 'accepted') {
      withheld[kind] += 1;
      continue;
    }
    const one = keep(finding, severity, planning, 1);
    if ('reason' in one) unnamed.push(one);
    else kept.push(one);
  }
  const reportKey = reportKeyHash(reading.reportKey, owners);
  const formerKey = owners.hasLookedUp ? rawReportKeyHash(reading.reportKey) : reportKey;
  return {
    reading,
    planning,
    reportKey,
    formerKey: formerKey === reportKey ? undefined : formerKey,
    completeness: unnamed.length > 0 && reading.completeness === 'complete' ? 'partial' : reading.completeness,
    kept,
    ...withheld,
    unnamed,
  };
}

const sourceName = new RegExp(sourceNamePattern);

function keep(
  finding: Finding,
  severity: Severity,
  { owners, shards }: Planning,
  occurrences: number,
): Kept | Rejection {
  try {
    if (!sourceName.test(finding.source)) throw new RangeError('the name of its source is not valid');
    const identity = identify(finding, owners);
    const resource = owners.resolve(finding.resource);
    return { finding, severity, occurrences, identity, name: identity.name, resource, shard: shards.of(resource) };
  } catch (error) {
    return unexpected(error);
  }
}

/** Two readings of one object that turn out to be about the same: one of them alone would seem to lack the other's findings. */
function joined(first: Plan, second: Plan): Plan {
  const reading: Reading = {
    ...first.reading,
    findings: [...first.reading.findings, ...second.reading.findings],
    rejected: [...first.reading.rejected, ...second.reading.rejected],
  };
  return {
    ...first,
    reading,
    completeness: first.completeness === second.completeness ? first.completeness : 'partial',
    kept: [...first.kept, ...second.kept],
    filtered: first.filtered + second.filtered,
    muted: first.muted + second.muted,
    unnamed: [...first.unnamed, ...second.unnamed],
  };
}
