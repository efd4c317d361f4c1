/**
 * The books: every finding occurrence that came in is accounted for at any moment (F6):
 *
 *   received = written + unchanged + merged + muted + filtered + folded + rejected + fenced + pending
 *
 * Entries are made in the same tick as the state that they describe. Counts run since the process started.
 */
import type { RejectionReason } from '../sources/source.ts';
import { rejectionReasons } from '../sources/source.ts';

/** Where an occurrence can end. */
export const accounts = ['written', 'unchanged', 'merged', 'muted', 'filtered', 'folded', 'fenced'] as const;
export type Account = (typeof accounts)[number];

/** What the books say at one moment. */
export interface Balance {
  readonly received: number;
  readonly pending: number;
  readonly accounts: Readonly<Record<Account, number>>;
  readonly rejected: Readonly<Record<RejectionReason, number>>;
}

interface Page {
  received: number;
  pending: number;
  readonly accounts: Record<Account, number>;
  readonly rejected: Record<RejectionReason, number>;
}

/** Pages kept apart; where there would be more, those on which nothing waits are added up: clusters make namespaces for hours. */
const greatestPages = 1_000;

/** One page of books per partition (namespace of the report), so that a shard can hand its own over. */
export class Books {
  readonly #pages = new Map<string, Page>();
  readonly #addedUp = emptyPage();

  /** Pages kept apart. */
  get pages(): number {
    return this.#pages.size;
  }

  /** Occurrences that came in and ended at once. */
  settle(partition: string, account: Account, occurrences: number): void {
    const page = this.#page(partition);
    page.received += occurrences;
    page.accounts[account] += occurrences;
  }

  /** Occurrences, or a whole malformed report counting as one, that came in and were refused. */
  reject(partition: string, reason: RejectionReason, occurrences: number): void {
    const page = this.#page(partition);
    page.received += occurrences;
    page.rejected[reason] += occurrences;
  }

  /** Occurrences that came in and wait in the queue. */
  open(partition: string, occurrences: number): void {
    const page = this.#page(partition);
    page.received += occurrences;
    page.pending += occurrences;
  }

  /** Waiting occurrences that found their end. */
  close(partition: string, account: Account, occurrences: number): void {
    const page = this.#page(partition);
    page.pending -= occurrences;
    page.accounts[account] += occurrences;
  }

  /** Waiting occurrences that the server refused for good. */
  closeRejected(partition: string, reason: RejectionReason, occurrences: number): void {
    const page = this.#page(partition);
    page.pending -= occurrences;
    page.rejected[reason] += occurrences;
  }

  /** The sum over all partitions. */
  balance(): Balance {
    const total = emptyPage();
    for (const page of [this.#addedUp, ...this.#pages.values()]) add(page, total);
    return total;
  }

  #page(partition: string): Page {
    let page = this.#pages.get(partition);
    if (page === undefined) {
      if (this.#pages.size >= greatestPages) this.#addUp();
      page = emptyPage();
      this.#pages.set(partition, page);
    }
    return page;
  }

  #addUp(): void {
    for (const [partition, page] of this.#pages) {
      if (page.pending > 0) continue;
      add(page, this.#addedUp);
      this.#pages.delete(partition);
    }
  }
}

function add(page: Page, total: Page): void {
  total.received += page.received;
  total.pending += page.pending;
  for (const account of accounts) total.accounts[account] += page.accounts[account];
  for (const reason of rejectionReasons) total.rejected[reason] += page.rejected[reason];
}

/** What is missing for the books to balance; 0 when they do. */
export function discrepancy(balance: Balance): number {
  const settled = accounts.reduce((sum, account) => sum + balance.accounts[account], 0);
  const rejected = rejectionReasons.reduce((sum, reason) => sum + balance.rejected[reason], 0);
  return balance.received - settled - rejected - balance.pending;
}

function emptyPage(): Page {
  return {
    received: 0,
    pending: 0,
    accounts: { written: 0, unchanged: 0, merged: 0, muted: 0, filtered: 0, folded: 0, fenced: 0 },
    rejected: {
      malformed: 0,
      'missing-field': 0,
      'cross-namespace': 0,
      'too-large': 0,
      'refused-by-server': 0,
      'namespace-terminating': 0,
    },
  };
}
