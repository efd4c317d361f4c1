/** Until when something holds, as people write it: an RFC 3339 time, or a plain date. */

const form = /^(\d{4})-(\d{2})-(\d{2})(?:[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2}))?$/;

/** What a text that is none is told. */
export const untilHint = 'an RFC 3339 time (2026-12-01T09:00:00Z) or a date (2026-12-01: its first moment, UTC)';

/** Milliseconds since the epoch; undefined when the text is neither, or there is no such day. */
export function parseUntil(text: string): number | undefined {
  const [, year = '', month = '', day = ''] = form.exec(text) ?? [];
  if (year === '') return undefined;
  // Date.parse takes February 30 for March 2.
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) return undefined;
  const milliseconds = Date.parse(text.toUpperCase());
  return Number.isNaN(milliseconds) ? undefined : milliseconds;
}
