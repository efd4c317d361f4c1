/** Reads what /metrics says, and does the sum of the books over it again (F6). */
import assert from 'node:assert/strict';
import { type Sample, sampleOn } from '../../src/cli/metrics-text.ts';
import { accounts } from '../../src/pipeline/books.ts';

type Labels = Readonly<Record<string, string>>;

/** One scrape. */
export class Scrape {
  readonly samples: readonly Sample[];

  constructor(text: string) {
    this.samples = text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map(parseLine);
  }

  /** The sum over all series of a metric that have these labels; throws for a metric that does not exist. */
  value(name: string, labels: Labels = {}): number {
    const series = this.samples.filter((sample) => sample.name === name);
    if (series.length === 0) throw new Error(`there is no metric ${name}`);
    return series
      .filter((sample) => Object.entries(labels).every(([key, value]) => sample.labels[key] === value))
      .reduce((sum, sample) => sum + sample.value, 0);
  }

  /** Occurrences that ended in an account of the books. */
  settled(account: (typeof accounts)[number]): number {
    return this.value('zen_watcher_findings_settled_total', { account });
  }

  get received(): number {
    return this.value('zen_watcher_findings_received_total');
  }

  get pending(): number {
    return this.value('zen_watcher_findings_pending');
  }

  /** Nothing waits: neither a finding, nor an intent, nor a report that is to be read again. */
  get isQuiet(): boolean {
    const waiting = this.pending + this.value('zen_watcher_queue_items') + this.value('zen_watcher_dirty_reports');
    return waiting === 0;
  }
}

/** received = written + unchanged + merged + muted + filtered + folded + rejected + fenced + pending, nothing pending. */
export function assertBalanced(scrape: Scrape): void {
  const settled = accounts.map((account) => [account, scrape.settled(account)] as const);
  const rejected = scrape.value('zen_watcher_findings_rejected_total');
  const sum = settled.reduce((total, [, occurrences]) => total + occurrences, rejected);
  const words = `${JSON.stringify(Object.fromEntries(settled))}, rejected ${rejected}`;
  assert.equal(scrape.pending, 0, 'something is pending');
  assert.equal(scrape.received, sum, `received ${scrape.received}, but ${words}`);
  assert.equal(scrape.value('zen_watcher_books_discrepancy'), 0);
  for (const [account, occurrences] of settled) assert.ok(occurrences >= 0, `${account} is ${occurrences}`);
}

/** The same while something waits: repeats of signals are put off for minutes. */
export function assertBalancedNow(scrape: Scrape): void {
  const settled = accounts.reduce((sum, account) => sum + scrape.settled(account), 0);
  const sum = settled + scrape.value('zen_watcher_findings_rejected_total') + scrape.pending;
  assert.equal(scrape.received, sum, `received ${scrape.received}, accounted for ${sum}`);
  assert.equal(scrape.value('zen_watcher_books_discrepancy'), 0);
}

/** Throws for what is no line of the exposition format. */
function parseLine(line: string): Sample {
  const sample = sampleOn(line);
  if (sample === undefined) throw new Error(`no line of the exposition format: ${line}`);
  return sample;
}
