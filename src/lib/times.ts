/** Times in reports: adapters write seconds of a minute, zeros, negative nanoseconds and times to come. */
import { asFields, asNumber } from './fields.ts';

const earliestMs = Date.UTC(2015, 0, 1);
const clockSkewMs = 5 * 60 * 1000;
const rfc3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})$/;

/** True for milliseconds since the epoch between 2015 and five minutes from now. */
export function isPlausible(milliseconds: number, now: Date): boolean {
  return milliseconds >= earliestMs && milliseconds <= now.getTime() + clockSkewMs;
}

/**
 * An RFC 3339 text or a protobuf timestamp {seconds, nanos} as a time, when it is one that a report can have. Nanoseconds
 * out of range are ignored: adapters put the seconds there once more, or negative numbers, while their seconds are right.
 */
export function plausibleTime(value: unknown, now: Date): Date | undefined {
  const milliseconds = typeof value === 'string' ? fromText(value) : fromSeconds(value);
  return milliseconds !== undefined && isPlausible(milliseconds, now) ? new Date(milliseconds) : undefined;
}

/** An RFC 3339 text as a time, however far away: of what is to come. Undefined for everything else. */
export function timeOf(value: unknown): Date | undefined {
  const milliseconds = typeof value === 'string' ? fromText(value) : undefined;
  return milliseconds === undefined || Number.isNaN(milliseconds) ? undefined : new Date(milliseconds);
}

function fromText(text: string): number | undefined {
  return rfc3339.test(text) ? Date.parse(text.toUpperCase()) : undefined;
}

function fromSeconds(value: unknown): number | undefined {
  const fields = asFields(value);
  const seconds = asNumber(fields?.['seconds']);
  if (seconds === undefined) return undefined;
  const nanos = asNumber(fields?.['nanos']) ?? 0;
  return Math.trunc(seconds) * 1000 + (nanos > 0 && nanos < 1e9 ? Math.trunc(nanos / 1e6) : 0);
}
