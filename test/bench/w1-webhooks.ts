/**
 * W1: different alerts sent by 8 connections become events, against the raw create rate with as many requests in flight.
 * W2: an alert sent to its answer, which is its event being on the server, against one bare create. W3: repeats a second.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../cluster/ports.ts';
import { alert, WebhookSender } from '../support/webhook-sender.ts';
import type { BenchCluster } from './cluster.ts';
import { eventsPath, makeNamespace, removeAll, send } from './cluster.ts';
import { eventBodies } from './event-bodies.ts';
import type { Figure } from './figure.ts';
import { median, percentile, rounded } from './figure.ts';
import { observe, secondsBetween } from './observer.ts';
import { runScript, startWatcher, untilReady } from './processes.ts';

const alerts = 1_500;
const singles = 200;
const repeats = 3_000;
const pairs = 3;
const inFlight = 8;

export async function measureWebhooks(cluster: BenchCluster, log: (line: string) => void): Promise<Figure[]> {
  const bodies = Array.from({ length: alerts }, (_, index) => alert(`Rule ${index}`));
  const ratios: number[] = [];
  const rates: number[] = [];
  const answers: number[] = [];
  const creates: number[] = [];
  const repeated: number[] = [];
  for (let pair = 0; pair <= pairs; pair += 1) {
    const raw = await measureRaw(cluster, `bench-w1-raw-${pair}`, bodies);
    const daemon = await measureDaemon(cluster, `bench-w1-daemon-${pair}`, bodies);
    log(
      `W1 ${pair === 0 ? 'warm-up' : `pair ${pair}`}: raw ${raw.rate.toFixed(0)}/s, daemon ${daemon.rate.toFixed(0)}/s`,
    );
    if (pair === 0) continue;
    rates.push(daemon.rate);
    ratios.push(daemon.rate / raw.rate);
    answers.push(...daemon.latencies);
    creates.push(...raw.latencies);
    repeated.push(daemon.repeatsPerSecond);
  }
  const ratio = median(ratios);
  const p50 = percentile(answers, 0.5);
  const latencyRatio = p50 / percentile(creates, 0.5);
  return [
    {
      id: 'W1',
      value: rounded(median(rates), 1),
      unit: 'alerts/s, each a new event',
      ratio: rounded(ratio),
      goal: 'ratio to the raw create rate >= 0.5: sender, watcher and server share the cores',
      ok: ratio >= 0.5,
      note: `${inFlight} connections; ratios ${ratios.map((one) => one.toFixed(2)).join(' ')}`,
    },
    {
      id: 'W2',
      value: rounded(p50, 1),
      unit: 'ms from an alert to its answer (p50)',
      ratio: rounded(latencyRatio),
      goal: 'p50 within 2 x of one bare create: two requests in place of one',
      ok: latencyRatio <= 2,
      note: `p99 ${percentile(answers, 0.99).toFixed(1)} ms; bare p50 ${percentile(creates, 0.5).toFixed(1)} ms, p99 ${percentile(creates, 0.99).toFixed(1)} ms`,
    },
    {
      id: 'W3',
      value: rounded(median(repeated), 0),
      unit: 'repeats/s on one connection',
      ratio: null,
      goal: '1,000 a second, the worst case of one looping container',
      ok: median(repeated) >= 1_000,
    },
  ];
}

async function measureRaw(cluster: BenchCluster, namespace: string, documents: readonly object[]) {
  await makeNamespace(cluster, namespace);
  const bodies = eventBodies(documents, namespace);
  const bodiesPath = join(cluster.controlPlane.folder, 'alerts.ndjson');
  writeFileSync(bodiesPath, bodies.join('\n'));
  const observer = await observe(cluster, namespace);
  const { server, caPath } = cluster.controlPlane;
  await runScript('raw-create.ts', {
    server,
    caPath,
    token: cluster.token,
    path: eventsPath(namespace),
    bodiesPath,
    inFlight,
  });
  await observer.until(documents.length);
  await observer.stop();
  const latencies: number[] = [];
  for (const body of eventBodies(
    Array.from({ length: singles }, (_, index) => alert(`Single ${index}`)),
    namespace,
  )) {
    const sentAt = performance.now();
    await send(cluster, 'POST', eventsPath(namespace), JSON.parse(body));
    latencies.push(performance.now() - sentAt);
  }
  await removeAll(cluster, eventsPath(namespace));
  return { rate: (observer.seen.size - 1) / secondsBetween(observer.seen), latencies };
}

async function measureDaemon(cluster: BenchCluster, namespace: string, bodies: readonly object[]) {
  await makeNamespace(cluster, namespace);
  const port = await freePort();
  const watcher = startWatcher(cluster, namespace, {
    webhooks: { port, host: '127.0.0.1', routes: { falco: { open: true } } },
  });
  await untilReady(await watcher.port());
  const observer = await observe(cluster, namespace);
  const many = new WebhookSender(port, '/falco/webhook', { connections: inFlight });
  await many.sendAll(bodies, inFlight);
  await observer.until(bodies.length);
  await observer.stop();
  await many.close();
  const single = new WebhookSender(port, '/falco/webhook');
  await single.sendAll(Array.from({ length: singles }, (_, index) => alert(`Single ${index}`)));
  const latencies = single.latencies.splice(0);
  const begin = performance.now();
  await single.sendAll(Array.from({ length: repeats }, () => alert('Single 0')));
  const repeatsPerSecond = repeats / ((performance.now() - begin) / 1000);
  await single.close();
  for (const { statuses } of [many, single]) {
    if (Object.keys(statuses).join() !== '200') throw new Error(`alerts were answered ${JSON.stringify(statuses)}`);
  }
  await watcher.stop();
  await removeAll(cluster, eventsPath(namespace));
  return { rate: (observer.seen.size - 1) / secondsBetween(observer.seen), latencies, repeatsPerSecond };
}
