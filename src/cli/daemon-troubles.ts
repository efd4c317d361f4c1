/** Doctor: what the metrics of a running daemon say of troubles that the API server's answers to doctor do not show. */
import type { Sample } from './metrics-text.ts';

/** One trouble in words, and the page about it. */
export interface Trouble {
  /** undefined: it happened, and is worth no warning any more. */
  readonly status: 'warn' | 'fail' | undefined;
  readonly says: string;
  /** Name of an alert and of its runbook. */
  readonly page: string;
}

/** Two scrapes of one daemon, some time between them. */
export interface TwoScrapes {
  readonly before: readonly Sample[];
  readonly now: readonly Sample[];
  /** Between them. */
  readonly seconds: number;
}

type Labels = Readonly<Record<string, string>>;

/** A part of the whole that alerts. */
const muchOf = 0.1;
/** As ZenWatcherWatchStale. */
const staleSeconds = 300;
/** What can end by itself or be mended while the daemon runs; the rest are refused for good. */
const awaited = ['throttled', 'unavailable'];
/** The client went away: nothing was refused. */
const given = ['499'];
const writingVerbs = ['create', 'update', 'patch', 'delete'];

const meanings: Readonly<Record<string, string>> = {
  401: 'no valid credential',
  413: 'too large',
  415: 'not a form that is read',
  400: 'cannot be read',
  429: 'too much at a time',
  503: 'busy, or stopping',
};

/** The troubles of one daemon, the gravest first. */
export function troublesIn(scrapes: TwoScrapes): Trouble[] {
  const troubles = [...states(scrapes), ...retries(scrapes), ...webhooks(scrapes), ...counted(scrapes)];
  const ranks = ['fail', 'warn', undefined];
  return troubles.toSorted((a, b) => ranks.indexOf(a.status) - ranks.indexOf(b.status));
}

/** What is so at the moment. */
function* states({ now }: TwoScrapes): Generator<Trouble> {
  const one = (name: string) => sum(now, `zen_watcher_${name}`);
  const names = (name: string, isSo: (value: number) => boolean, label: string) =>
    now
      .filter((sample) => sample.name === `zen_watcher_${name}` && isSo(sample.value))
      .map(({ labels }) => labels[label]);
  if (one('ready') === 0) {
    yield {
      status: 'fail',
      says: '/readyz answers 503: the first listing is not complete, or the queue is full',
      page: 'ZenWatcherNotReady',
    };
  }
  const forbidden = names('informer_forbidden', (value) => value === 1, 'resource');
  if (forbidden.length > 0) {
    yield { status: 'fail', says: `may not list and watch ${some(forbidden)}`, page: 'ZenWatcherForbidden' };
  }
  const stopped = names('stopped_writes', (value) => value > 0, 'cause');
  if (stopped.length > 0) {
    yield { status: 'fail', says: `events cannot be written: ${some(stopped)}`, page: 'ZenWatcherWritesStopped' };
  }
  if (one('books_discrepancy') !== 0) {
    yield {
      status: 'fail',
      says: 'the books do not balance: findings were lost count of',
      page: 'ZenWatcherBooksUnbalanced',
    };
  }
  const stale = names('informer_stale_seconds', (value) => value > staleSeconds, 'resource').filter(
    (resource) => !forbidden.includes(resource),
  );
  if (stale.length > 0) {
    yield {
      status: 'warn',
      says: `not watched for more than ${staleSeconds} s: ${some(stale)}`,
      page: 'ZenWatcherWatchStale',
    };
  }
  if (one('config_valid') === 0) {
    yield {
      status: 'warn',
      says: 'the configuration file is not valid: the last good one is in force',
      page: 'ZenWatcherConfigInvalid',
    };
  }
  if (one('queue_full') > 0) yield { status: 'warn', says: 'the queue is full', page: 'ZenWatcherQueueFull' };
  if (one('halted_channels') > 0) {
    yield {
      status: 'warn',
      says: 'most reports of a tool vanished at once: nothing of theirs is resolved',
      page: 'ZenWatcherMassDisappearance',
    };
  }
}

/** Writes that the server throttles, or does not answer. */
function* retries(scrapes: TwoScrapes): Generator<Trouble> {
  const { now } = scrapes;
  const waiting = sum(now, 'zen_watcher_queue_items');
  const writes = writingVerbs.reduce(
    (all, verb) => all + sum(now, 'zen_watcher_api_requests_total', { verb, resource: 'zenagentevents' }),
    0,
  );
  for (const cause of awaited) {
    const count = sum(now, 'zen_watcher_write_retries_total', { cause });
    if (count === 0) continue;
    const more = rise(scrapes, 'zen_watcher_write_retries_total', { cause });
    const isSo = more > 0 || waiting > 0 || count > writes * muchOf;
    const word = cause === 'throttled' ? 'writes were throttled (429)' : 'writes were not answered, or with 5xx';
    yield {
      status: isSo ? 'warn' : undefined,
      says: `${word} and tried again: ${count} times in ${writes} writes${news(more, scrapes)}; ${waiting} wait now`,
      page: 'ZenWatcherWriteFailures',
    };
  }
}

/** What senders were refused, by path and status. */
function* webhooks(scrapes: TwoScrapes): Generator<Trouble> {
  const name = 'zen_watcher_webhook_requests_total';
  const requests = scrapes.now.filter((sample) => sample.name === name && sample.value > 0);
  for (const { labels, value } of requests) {
    const { endpoint = '', status = '' } = labels;
    if (Number(status) < 400 || given.includes(status)) continue;
    const all = sum(scrapes.now, name, { endpoint });
    const taken =
      sum(scrapes.now, name, { endpoint, status: '200' }) + sum(scrapes.now, name, { endpoint, status: '202' });
    const more = rise(scrapes, name, labels);
    // Anybody may ask for a path that is not there; a credential that is refused is somebody's who should send.
    const isSo = more > 0 || value > all * muchOf || status === '401';
    const meaning = meanings[status];
    const where = endpoint === 'none' ? 'paths that are no webhook' : endpoint;
    yield {
      status: !isSo ? undefined : taken === 0 && endpoint !== 'none' ? 'fail' : 'warn',
      says: `${where}: ${value} of ${all} requests were answered ${status}${meaning === undefined ? '' : ` (${meaning})`}${news(more, scrapes)}`,
      page: 'ZenWatcherWebhooksRejected',
    };
  }
}

/** What happened since its start and is worth a look. */
function* counted(scrapes: TwoScrapes): Generator<Trouble> {
  const { now } = scrapes;
  const refused = sum(now, 'zen_watcher_intents_total', { outcome: 'rejected' });
  if (refused > 0) {
    const more = rise(scrapes, 'zen_watcher_intents_total', { outcome: 'rejected' });
    yield {
      status: 'warn',
      says: `the API server refused ${refused} events for good${news(more, scrapes)}`,
      page: 'ZenWatcherEventsRefused',
    };
  }
  const tampered = sum(now, 'zen_watcher_tampered_events_total');
  if (tampered > 0) {
    yield { status: 'warn', says: `${tampered} events were found changed by others`, page: 'ZenWatcherTampering' };
  }
  const rejected = now.filter(({ name, value }) => name === 'zen_watcher_rejected_total' && value > 0);
  for (const { labels, value } of rejected) {
    const more = rise(scrapes, 'zen_watcher_rejected_total', labels);
    yield {
      status: 'warn',
      says: `${labels['source']}: ${value} reports or entries were rejected, ${labels['reason']}${news(more, scrapes)}`,
      page: 'ZenWatcherReportsMalformed',
    };
  }
}

/** Sum of the series of a metric that have these labels; 0 where there is none. */
export function sum(samples: readonly Sample[], name: string, labels: Labels = {}): number {
  return samples
    .filter(
      (sample) => sample.name === name && Object.entries(labels).every(([key, word]) => sample.labels[key] === word),
    )
    .reduce((total, { value }) => total + value, 0);
}

function rise({ before, now }: TwoScrapes, name: string, labels: Labels): number {
  return sum(now, name, labels) - sum(before, name, labels);
}

function news(more: number, { seconds }: TwoScrapes): string {
  return more > 0 ? `, ${more} of them in the last ${Math.max(1, Math.round(seconds))} s` : '';
}

function some(words: readonly (string | undefined)[]): string {
  const shown = words.slice(0, 3).join(', ');
  return words.length > 3 ? `${shown} and ${words.length - 3} more` : shown;
}
