/** What a runtime sensor saw happen, as a finding that is counted, alike for every tool. */
import type { Severity } from '../api/words.ts';
import { CarriedReading } from './carried-report.ts';
import type { Description, Finding, IdentityPart, ReadContext, ResourceReference } from './source.ts';

/** One thing that happened. */
export interface RuntimeSignal {
  readonly source: string;
  readonly severity: Severity;
  readonly sourceSeverity: string | undefined;
  readonly rule: string;
  readonly resource: ResourceReference;
  readonly occurrences: number;
  /** Where the tool gives them. */
  readonly occurrenceIds?: readonly string[] | undefined;
  readonly at: Date;
  /** What happened to whom: no process ids, no times. */
  identity(): readonly IdentityPart[];
  describe(): Description;
}

/** The finding of a signal. */
export function signalFinding({ occurrences, occurrenceIds, at, ...signal }: RuntimeSignal): Finding {
  return {
    ...signal,
    eventType: 'runtime-threat',
    category: 'security',
    nature: { kind: 'signal', occurrences, at, ...(occurrenceIds === undefined ? {} : { occurrenceIds }) },
  };
}

/** A reading of events: that something is not in it says nothing. */
export function signalReading(format: string, context: ReadContext, namespace: string): CarriedReading {
  const reading = new CarriedReading(format, context, [namespace]);
  reading.isPartial();
  return reading;
}
