/** What webhooks must withstand, on a real control plane: in small by `npm test`, in full by `npm run test:webhooks`. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StoredEvent } from '../../src/api/stored-event.ts';
import { ApiProxy } from './api-proxy.ts';
import type { AuditedWrite } from './audit-log.ts';
import { tallyOf } from './audit-log.ts';
import type { DaemonProcess, DaemonSettings, TestDaemon } from './daemon.ts';
import { assertBooksBalance, linesOf, ready, scrape } from './daemon.ts';
import type { Home, Stage } from './stage.ts';
import { TcpGate } from './tcp-gate.ts';
import { until } from './until.ts';
import { alert, deletion, eventList, WebhookSender } from './webhook-sender.ts';

/** Webhooks that anybody may send to, and nothing else in the cluster that reports. */
export function webhooksOnly(config: Readonly<Record<string, unknown>> = {}): DaemonSettings {
  const open = { open: true, maxInFlight: 1_000 };
  return {
    config: {
      webhooks: { port: 0, host: '127.0.0.1', routes: { falco: open, audit: open, kubearmor: open, sarif: open } },
      budget: { events: 1_000_000 },
      ...config,
    },
  };
}

/** The port of the webhooks of a daemon. */
export function webhookPort(daemon: TestDaemon): number {
  const [line] = linesOf(daemon, 'webhooks are served');
  assert.ok(line, 'no webhooks are served');
  return Number(line['port']);
}

/** status.count by what was found: the rule of an alert, the name of a namespace that was deleted. */
export function countsOf(events: readonly StoredEvent[]): Map<string, number> {
  const nameOf = ({ source, resource, details }: StoredEvent['spec']) =>
    source === 'audit' ? resource?.name : details?.['rule'];
  return new Map(events.map(({ spec, status }) => [String(nameOf(spec)), status?.count ?? 1]));
}

/** Has something done when all is over, however it ends. */
export type CleanUp = (end: () => Promise<void>) => void;
/** Takes a way to say how far a run is, for whoever waits for it. */
export type Tell = (look: () => string) => void;

const isTaken = (status: number) => status === 200 || status === 202;

export interface BurstSize {
  readonly identical: number;
  readonly different: number;
  /** The event budget. */
  readonly events: number;
  /** How long the API server cannot be reached from the middle of each part on. */
  readonly awaySeconds?: number;
}

/** Identical alerts on one connection, then different ones: one event that counts them all, and one event each. */
export async function burst(stage: Stage, size: BurstSize, cleanUp: CleanUp, tell: Tell = () => {}) {
  const { identical, different, events, awaySeconds = 0 } = size;
  const home = await stage.home('events');
  const gate = await TcpGate.open(stage.controlPlane.server);
  cleanUp(() => gate.close());
  const daemon = await stage.daemonProcess(home, webhooksOnly({ budget: { events } }), gate.url);
  await ready(daemon);
  const sender = new WebhookSender(webhookPort(daemon), '/falco/webhook');
  cleanUp(() => sender.close());
  tell(() => `${sender.latencies.length} of ${identical + different} alerts answered`);
  const writes = () => tallyOf(stage.audit.writes(home.namespace).filter(({ user }) => user === home.account.user));
  /** Sends one after the other. The API server is away from the middle on, and back when it resolves. */
  const sendEach = async (rules: readonly string[]) => {
    const begin = performance.now();
    let away: Promise<void> | undefined;
    for (const [index, rule] of rules.entries()) {
      if (awaySeconds > 0 && index === rules.length / 2) away = cutFor(gate, awaySeconds);
      const status = await sender.send(alert(rule));
      // Held for as long as it is, an alert is not refused.
      assert.ok(status === 200 || (status === 202 && away !== undefined), `${rule} was answered ${status}`);
    }
    const milliseconds = Math.round(performance.now() - begin);
    await away;
    return milliseconds;
  };
  const identicalMs = await sendEach(Array.from({ length: identical }, () => 'Same'));
  const writesOfOne = writes();
  assert.ok(
    Object.values(writesOfOne).reduce((sum, count) => sum + count, 0) <= 2 + identicalMs / 9_000,
    JSON.stringify(writesOfOne),
  );

  const rules = Array.from({ length: different }, (_, index) => `Rule ${index}`);
  const differentMs = await sendEach(rules);
  // To make room for its summary, the budget may remove one that was written before.
  const folded = await until(
    'all to be on the server or folded',
    async () => {
      const there = countsOf(await stage.events(home.namespace));
      const missing = ['Same', ...rules].filter((rule) => !there.has(rule)).length;
      const removed = writes()['delete 200'] ?? 0;
      return (await scrape(daemon)).settled('folded') + removed === missing && { missing };
    },
    { pauseMs: Math.max(50, different / 10) },
  ).then(({ missing }) => missing);
  const scraped = await scrape(daemon);
  assert.equal(scraped.value('zen_watcher_webhook_refused_total'), 0);
  const answered = (status: string) =>
    scraped.value('zen_watcher_webhook_requests_total', { endpoint: '/falco/webhook', status });
  assert.equal(answered('200') + answered('202'), identical + different);
  assert.equal(scraped.value('zen_watcher_books_discrepancy'), 0);
  assert.equal(scraped.received, identical + different);
  assert.equal(await daemon.end('SIGTERM'), 0);
  const counts = countsOf(await stage.events(home.namespace));
  assert.equal(counts.get('Same'), identical, 'what was put off is written at the end in order');
  assert.deepEqual(rules.filter((rule) => (counts.get(rule) ?? 1) !== 1).slice(0, 5), []);
  assert.ok(counts.size <= events);
  return { identicalMs, differentMs, statuses: sender.statuses, writesOfOne, folded, writes: writes() };
}

/** The network between the two is gone for so long. */
async function cutFor(gate: TcpGate, seconds: number): Promise<void> {
  gate.shut();
  await sleep(seconds * 1000);
  gate.reopen();
}

/** Alerts and audit batches while the API server cannot be reached for a while: nothing that was answered is missing afterwards. */
export async function outage(
  stage: Stage,
  size: { readonly seconds: number; readonly senders: number },
  cleanUp: CleanUp,
  tell: Tell = () => {},
) {
  const home = await stage.home('events');
  const gate = await TcpGate.open(stage.controlPlane.server);
  cleanUp(() => gate.close());
  const daemon = await stage.daemonProcess(home, webhooksOnly(), gate.url);
  await ready(daemon);
  const port = webhookPort(daemon);
  const falco = new WebhookSender(port, '/falco/webhook', { connections: size.senders });
  const audit = new WebhookSender(port, '/audit/webhook', { connections: size.senders });
  const taken = new Map<string, number>();
  let isOver = false;
  const alerts = Array.from({ length: size.senders }, async (_, number) => {
    for (let index = 0; !isOver; index += 1) {
      // Every other one is a repeat of one that everybody tells.
      const rule = index % 2 === 0 ? `Rule ${number} ${index}` : `Shared ${index % 7}`;
      if (isTaken(await falco.send(alert(rule)))) taken.set(rule, (taken.get(rule) ?? 0) + 1);
      await sleep(5);
    }
  });
  let batches = 0;
  let sendings = 0;
  tell(() => `alerts ${JSON.stringify(falco.statuses)}, audit batches ${JSON.stringify(audit.statuses)}`);
  // Whatever comes of it, nobody goes on sending.
  cleanUp(async () => {
    isOver = true;
    await Promise.all([falco.close(), audit.close()]);
  });
  const audits = Array.from({ length: 2 }, async (_, number) => {
    for (let index = 0; !isOver; index += 1) {
      const names = Array.from({ length: 20 }, (_, item) => `team-${number}-${index - (item % 3)}-${item}`);
      const list = eventList(names.map((name, item) => deletion(name, `${number}-${index}-${item}`)));
      const sent = await audit.sendUntilTaken(list, 200);
      sendings += sent;
      batches += 1;
      for (const name of names) taken.set(name, (taken.get(name) ?? 0) + 1);
    }
  });
  await until('something', () => taken.size > 20);
  gate.stall();
  await until('a write whose answer is lost', async () => (await unanswered(stage, home, daemon)) > 0);
  gate.shut();
  await sleep(size.seconds * 1000);
  await until('a batch that has to come again', () => (audit.statuses[503] ?? 0) > 0);
  const statusesWhile = { falco: { ...falco.statuses }, audit: { ...audit.statuses } };
  gate.reopen();
  await until('it goes on', () => batches > 5 && (audit.statuses[200] ?? 0) > (statusesWhile.audit[200] ?? 0));
  isOver = true;
  await Promise.all([...alerts, ...audits]);
  const figures = { falco: falco.statuses, audit: audit.statuses, batches, sendings, events: taken.size };
  assert.ok(sendings > batches, `no batch had to come again: ${JSON.stringify({ ...figures, statusesWhile })}`);
  await assertCounts(stage, home, daemon, taken);
  return figures;
}

/** How many writes of a daemon were carried out that it knows nothing of. */
async function unanswered(stage: Stage, home: Home, daemon: TestDaemon): Promise<number> {
  const isDone = ({ user, code }: AuditedWrite) => user === home.account.user && code < 300;
  const scraped = await scrape(daemon);
  const known = ['create', 'update', 'patch'].flatMap((verb) =>
    ['200', '201'].map((code) => scraped.value('zen_watcher_api_requests_total', { verb, code })),
  );
  return stage.audit.writes(home.namespace).filter(isDone).length - known.reduce((sum, count) => sum + count, 0);
}

/** After an end in order: the counts are what was answered, to the unit. */
async function assertCounts(
  stage: Stage,
  home: Home,
  daemon: DaemonProcess,
  taken: ReadonlyMap<string, number>,
): Promise<void> {
  const last = await scrape(daemon);
  assert.equal(last.value('zen_watcher_books_discrepancy'), 0);
  assert.equal(await daemon.end('SIGTERM'), 0);
  const counts = countsOf(await stage.events(home.namespace));
  const differing = [...taken].filter(([name, count]) => counts.get(name) !== count);
  assert.deepEqual(
    differing.slice(0, 5).map(([name, count]) => `${name}: answered ${count}, counted ${counts.get(name)}`),
    [],
  );
}

/** Answers of the API server to creates and patches are lost, so many of each, while senders go on: counts are exact. */
export async function lostAnswers(
  stage: Stage,
  size: { readonly lost: number; readonly senders: number },
  cleanUp: CleanUp,
) {
  const home = await stage.home('events');
  const proxy = await ApiProxy.open(stage.controlPlane);
  cleanUp(() => proxy.close());
  const daemon = await stage.daemon(home, { ...webhooksOnly(), timing: { signalStepsMs: [20] } }, proxy.url);
  await ready(daemon);
  const falco = new WebhookSender(webhookPort(daemon), '/falco/webhook', { connections: size.senders });
  const taken = new Map<string, number>();
  let isOver = false;
  const senders = Array.from({ length: size.senders }, async (_, number) => {
    for (let index = 0; !isOver; index += 1) {
      const rule = index % 4 === 0 ? `Rule ${number} ${index}` : `Shared ${index % 3}`;
      if (isTaken(await falco.send(alert(rule)))) taken.set(rule, (taken.get(rule) ?? 0) + 1);
      await sleep(5);
    }
  });
  cleanUp(async () => {
    isOver = true;
    await Promise.all([...senders, falco.close()]);
  });
  let writes = 0;
  proxy.isLost = ({ method, path }) => {
    if (method === 'GET' || !path.includes('/zenagentevents')) return false;
    writes += 1;
    return writes % 2 === 0 && (proxy.lost[method] ?? 0) < size.lost;
  };
  const isEnough = (method: string) => (proxy.lost[method] ?? 0) >= size.lost;
  await until('answers to be lost', () => isEnough('POST') && isEnough('PATCH'), { limitSeconds: 120 });
  isOver = true;
  await Promise.all(senders);
  await assertBooksBalance(daemon);
  await stage.end(daemon);
  const counts = countsOf(await stage.events(home.namespace));
  assert.deepEqual([...counts].sort(), [...taken].sort());
  return { lost: proxy.lost, statuses: falco.statuses, events: counts.size };
}

/** More was answered 202 than the write budget lets through within the time of the drain: all of it is on the server at the end. */
export async function drainBeyondBudget(
  stage: Stage,
  size: { readonly alerts: number; readonly perSecond: number },
  cleanUp: CleanUp,
) {
  const home = await stage.home('events');
  const settings = { ...webhooksOnly(), writes: { perSecond: size.perSecond, burst: size.perSecond } };
  const soon = { roomMs: 10_000, podsMs: 0, writeMs: 1 };
  const patience = { 'on-write': soon, batch: soon, report: soon };
  const daemon = await stage.daemon(home, { ...settings, timing: { webhooks: { patience } } });
  await ready(daemon);
  const sender = new WebhookSender(webhookPort(daemon), '/falco/webhook', { connections: 8 });
  cleanUp(() => sender.close());
  const rules = Array.from({ length: size.alerts }, (_, index) => `Rule ${index}`);
  const statuses = await sender.sendAll(rules.map(alert), 8);
  assert.ok(statuses.every(isTaken));
  const before = (await stage.events(home.namespace)).length;
  const begin = performance.now();
  await stage.end(daemon);
  const drainMs = Math.round(performance.now() - begin);
  const [line] = linesOf(daemon, 'zen-watcher stopped');
  assert.deepEqual([line?.['drained'], line?.['left'], line?.['sent'], line?.level], [true, 0, 0, 'info']);
  const counts = countsOf(await stage.events(home.namespace));
  assert.deepEqual(rules.filter((rule) => counts.get(rule) !== 1).slice(0, 5), []);
  return { statuses: sender.statuses, before, drainMs };
}

/** The daemon ends under load. What was answered 200 is there; after an end in order also what was answered 202, to the unit. */
export async function endUnderLoad(
  stage: Stage,
  signal: 'SIGTERM' | 'SIGKILL',
  size: { readonly senders: number; readonly alerts: number },
  cleanUp: CleanUp,
  tell: Tell = () => {},
) {
  const home = await stage.home('events');
  const daemon = await stage.daemonProcess(home, webhooksOnly());
  await ready(daemon);
  const falco = new WebhookSender(webhookPort(daemon), '/falco/webhook', { connections: size.senders });
  const taken = new Map<string, number>();
  tell(() => `${taken.size} of ${size.alerts} alerts answered`);
  const unanswered = new Set<string>();
  let ending: Promise<number | null> | undefined;
  let isOver = false;
  cleanUp(async () => {
    isOver = true;
    await falco.close();
  });
  const alerts = Array.from({ length: size.senders }, async (_, number) => {
    for (let index = 0; !isOver; index += 1) {
      const rule = index % 3 === 2 ? `Shared ${index % 7}` : `Rule ${number} ${index}`;
      const status = await falco.send(alert(rule));
      if (isTaken(status)) taken.set(rule, (taken.get(rule) ?? 0) + 1);
      else if (status === 0) {
        unanswered.add(rule);
        await sleep(20);
      }
      if (taken.size >= size.alerts) ending ??= daemon.end(signal).finally(() => (isOver = true));
    }
  });
  await Promise.all(alerts);
  assert.equal(await ending, signal === 'SIGTERM' ? 0 : null);
  const counts = countsOf(await stage.events(home.namespace));
  const missing = [...taken.keys()].filter((rule) => !counts.has(rule));
  assert.deepEqual(missing, [], 'answered, and not on the server');
  if (signal === 'SIGTERM') {
    const differing = [...taken].filter(([rule, count]) => counts.get(rule) !== count && !unanswered.has(rule));
    assert.deepEqual(differing, [], 'counted otherwise than answered');
  }
  return { statuses: falco.statuses, events: counts.size };
}
