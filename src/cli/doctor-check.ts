/** What `zen-watcher doctor` found, and how it is shown. */
import { clean, cut } from '../lib/text.ts';

/** ok; warn: it works, but look at it; fail: something does not work; skip: it could not be looked at. */
export type CheckStatus = 'ok' | 'warn' | 'fail' | 'skip';

/** One thing that was looked at. */
export interface Check {
  readonly name: string;
  readonly status: CheckStatus;
  /** In one sentence. */
  readonly says: string;
  /** The same one by one: what is forbidden, which report is malformed. */
  readonly details?: readonly string[];
  /** What to do. */
  readonly fix?: string;
}

/** What a list shows of its entries; `-o json` has all. */
const shownDetails = 20;
const maximumCharacters = 300;

const colors: Readonly<Record<CheckStatus, string>> = { ok: '32', warn: '33', fail: '31', skip: '2' };

/** The checks for a terminal. Part of the text comes from the cluster. */
export function* renderChecks(checks: readonly Check[], useColor: boolean): Generator<string> {
  const width = Math.max(...checks.map(({ name }) => name.length));
  for (const { name, status, says, details = [], fix } of checks) {
    const word = status.padEnd(4);
    const painted = useColor ? `\u001b[${colors[status]}m${word}\u001b[0m` : word;
    yield `${painted}  ${name.padEnd(width)}  ${shown(says)}\n`;
    for (const detail of details.slice(0, shownDetails)) yield `        - ${shown(detail)}\n`;
    const more = details.length - shownDetails;
    if (more > 0) yield `        - and ${more} more (-o json shows all)\n`;
    if (fix !== undefined && status !== 'ok') yield `        fix: ${fix}\n`;
  }
}

function shown(text: string): string {
  return cut(clean(text), maximumCharacters);
}
