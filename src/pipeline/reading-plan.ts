/** From a reading to what of it is kept: filtered first, since hashing costs most, then named. Decides nothing else. */
import { sourceNamePattern } from '../api/words.ts';
import type { Finding, Reading, Rejection, ResourceReference } from '../sources/source.ts';
import type { Filter } from './filter.ts';
import type { Identity, OwnerResolver } from './identity.ts';
import { identify, rawReportKeyHash, reportKeyHash } from './identity.ts';

/** A finding that passed the filter, with its name and owner. */
export interface Kept {
  readonly finding: Finding;
  readonly name: string;
  readonly identity: Identity;
  readonly resource: ResourceReference;
}

/** A reading with its kept findings named. */
export interface Plan {
  readonly reading: Reading;
  readonly owners: OwnerResolver;
  readonly reportKey: string;
  /** The report key as it was while a Pod in it was not known; undefined where no Pod was looked up. */
  readonly formerKey: string | undefined;
  /** The reading's, but never complete when one of its findings could not be named. */
  readonly completeness: Reading['completeness'];
  readonly kept: readonly Kept[];
  /** Findings whose mapping threw when they were named. */
  readonly unnamed: readonly Rejection[];
}

/** Plans all readings of one object; those of one report key become one. */
export function planReadings(readings: readonly Reading[], owners: OwnerResolver, filter: Filter): Plan[] {
  const plans = new Map<string, Plan>();
  for (const reading of readings) {
    const plan = planReading(reading, owners, filter);
    const earlier = plans.get(plan.reportKey);
    plans.set(plan.reportKey, earlier === undefined ? plan : joined(earlier, plan));
  }
  return [...plans.values()];
}

/** The filtered findings of the plan that have one of the names. They are hashed here: call it only where one is missed. */
export function filteredButNamed(plan: Plan, names: ReadonlySet<string>, filter: Filter): Kept[] {
  const missed = new Set(names);
  const found: Kept[] = [];
  for (const finding of plan.reading.findings) {
    if (missed.size === 0) break;
    if (filter(finding).accepted) continue;
    const kept = keep(finding, plan.owners);
    if (!('reason' in kept) && missed.delete(kept.name)) found.push(kept);
  }
  return found;
}

/** A mapping that throws has a bug; the finding that shows it must not stop the others. */
export function unexpected(error: unknown): Rejection {
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { reason: 'malformed', place: '.', message: `could not be mapped (${message})` };
}

function planReading(reading: Reading, owners: OwnerResolver, filter: Filter): Plan {
  const kept: Kept[] = [];
  const unnamed: Rejection[] = [];
  for (const finding of reading.findings) {
    if (!filter(finding).accepted) continue;
    const one = keep(finding, owners);
    if ('reason' in one) unnamed.push(one);
    else kept.push(one);
  }
  const reportKey = reportKeyHash(reading.reportKey, owners);
  const formerKey = owners.hasLookedUp ? rawReportKeyHash(reading.reportKey) : reportKey;
  return {
    reading,
    owners,
    reportKey,
    formerKey: formerKey === reportKey ? undefined : formerKey,
    completeness: unnamed.length > 0 && reading.completeness === 'complete' ? 'partial' : reading.completeness,
    kept,
    unnamed,
  };
}

const sourceName = new RegExp(sourceNamePattern);

function keep(finding: Finding, owners: OwnerResolver): Kept | Rejection {
  try {
    if (!sourceName.test(finding.source)) throw new RangeError('the name of its source is not valid');
    const identity = identify(finding, owners);
    return { finding, identity, name: identity.name, resource: owners.resolve(finding.resource) };
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
    unnamed: [...first.unnamed, ...second.unnamed],
  };
}
