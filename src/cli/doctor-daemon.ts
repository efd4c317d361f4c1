/** Doctor: a running daemon's own metrics, which show what nobody else sees: throttled writes, refused webhooks. */
import type { Config } from '../config/schema.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/error-message.ts';
import { asList, textAt } from '../lib/fields.ts';
import { parseRecord } from '../lib/json.ts';
import { sum, type Trouble, troublesIn } from './daemon-troubles.ts';
import type { Check } from './doctor-check.ts';
import { type Sample, samplesIn } from './metrics-text.ts';

export interface DaemonParts {
  readonly client: KubeClient;
  readonly config: Config;
  readonly clock: Clock;
  /** Where /metrics is, when not to be looked for. */
  readonly metricsUrl?: string | undefined;
}

/** Where one may be. */
interface Candidate {
  readonly where: string;
  read(): Promise<string>;
}

/** One that was reached. */
interface Reached {
  readonly daemon: Candidate;
  readonly before: readonly Sample[];
}

const answerMs = 3_000;
/** What rises between two looks goes on. */
const betweenMs = 2_000;
const mostBytes = 8 * 2 ** 20;
/** Replicas that are read. */
const mostPods = 5;
/** The label that every Pod of the chart has. */
const selector = 'app=zen-watcher';
const unseen = 'writes that the API server throttles, requests to webhooks that are refused';

/** Looks for the daemon: at the URL, on this machine, through the API server. What comes back looks again, and gives the check. */
export async function lookAtDaemon(parts: DaemonParts): Promise<() => Promise<Check>> {
  const { clock } = parts;
  const why: string[] = [];
  const reached = await reach(parts, why);
  const startMs = clock.monotonicMs();
  if (reached.length === 0) return async () => notSeen(parts, why);
  return async () => {
    const waitMs = betweenMs - (clock.monotonicMs() - startMs);
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    try {
      const looks = await Promise.all(
        reached.map(async ({ daemon, before }) => {
          const now = samplesIn(await daemon.read());
          const seconds = (clock.monotonicMs() - startMs) / 1000;
          return { where: daemon.where, now, troubles: troublesIn({ before, now, seconds }) };
        }),
      );
      return check(looks, clock.now());
    } catch (error) {
      return notSeen(parts, [messageOf(error)]);
    }
  };
}

async function reach({ client, config, metricsUrl }: DaemonParts, why: string[]): Promise<Reached[]> {
  if (metricsUrl !== undefined) return answering([{ where: metricsUrl, read: () => get(metricsUrl) }], why);
  const { host, metricsPort } = config.server;
  const address = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  const url = `http://${address.includes(':') ? `[${address}]` : address}:${metricsPort}/metrics`;
  const near = metricsPort === 0 ? [] : await answering([{ where: url, read: () => get(url) }], why);
  if (near.length > 0) return near;
  try {
    return await answering(await pods(client, config), why);
  } catch (error) {
    why.push(messageOf(error));
    return [];
  }
}

/** Those that answer as our daemon does: anything may listen on a port. */
async function answering(candidates: readonly Candidate[], why: string[]): Promise<Reached[]> {
  const found = await Promise.all(
    candidates.map(async (daemon) => {
      try {
        const before = samplesIn(await daemon.read());
        if (before.some(({ name }) => name === 'zen_watcher_build_info')) return [{ daemon, before }];
        why.push(`${daemon.where} is no zen-watcher`);
      } catch (error) {
        why.push(`${daemon.where}: ${messageOf(error)}`);
      }
      return [];
    }),
  );
  return found.flat();
}

/** Pods by the API server's proxy, for whoever may use it: no port has to be forwarded. */
async function pods(client: KubeClient, { events, server }: Config): Promise<Candidate[]> {
  const base = `/api/v1/namespaces/${events.namespace}/pods`;
  const ask = (path: string) => client.request({ method: 'GET', path, verb: 'get', resource: 'pods' });
  const { body } = await ask(`${base}?labelSelector=${encodeURIComponent(selector)}`);
  const names = (asList(parseRecord(body)?.['items']) ?? [])
    .filter((pod) => textAt(pod, 'status', 'phase') === 'Running')
    .flatMap((pod) => textAt(pod, 'metadata', 'name') ?? []);
  if (names.length === 0) throw new Error(`no Pod with ${selector} runs in ${events.namespace}`);
  return names.slice(0, mostPods).map((name) => ({
    where: `Pod ${name}`,
    read: async () => (await ask(`${base}/${name}:${server.metricsPort}/proxy/metrics`)).body.toString('utf8'),
  }));
}

async function get(url: string): Promise<string> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(answerMs), redirect: 'error' });
  if (!answer.ok) throw new Error(`answers ${answer.status}`);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.body ?? []) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw new Error(`the answer is longer than ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

interface Look {
  readonly where: string;
  readonly now: readonly Sample[];
  readonly troubles: readonly Trouble[];
}

function check(looks: readonly Look[], now: Date): Check {
  const all = looks.flatMap(({ troubles }) => troubles);
  const status = ['fail', 'warn'].find((word) => all.some((trouble) => trouble.status === word)) as 'fail' | 'warn';
  const open = all.filter((trouble) => trouble.status !== undefined).length;
  const places = looks.map(({ where, now: samples }) => `${where} (${age(samples, now)})`).join(', ');
  return {
    name: 'daemon',
    status: status ?? 'ok',
    says: `${open === 0 ? 'sees no trouble' : `sees ${open} ${open === 1 ? 'trouble' : 'troubles'}`}: ${places}`,
    details: looks.flatMap(({ where, troubles }) =>
      troubles.map(({ says, page }) => `${looks.length > 1 ? `${where}: ` : ''}${says}; docs/runbooks/${page}.md`),
    ),
    fix: 'see the page that is named; the log says when a trouble began, counts are since the start of the daemon',
  };
}

function age(samples: readonly Sample[], now: Date): string {
  const version = samples.find(({ name }) => name === 'zen_watcher_build_info')?.labels['version'] ?? '';
  const seconds = Math.max(0, Math.round(now.getTime() / 1000 - sum(samples, 'process_start_time_seconds')));
  const up =
    seconds < 120
      ? `${seconds} s`
      : seconds < 7_200
        ? `${Math.round(seconds / 60)} min`
        : `${Math.round(seconds / 3600)} h`;
  return `version ${version}, up for ${up}`;
}

function notSeen({ config, metricsUrl }: DaemonParts, why: readonly string[]): Check {
  const { namespace } = config.events;
  const port = config.server.metricsPort || 8080;
  const exec = `kubectl exec -n ${namespace} deploy/zen-watcher -- zen-watcher doctor`;
  const forward = `kubectl port-forward -n ${namespace} deploy/zen-watcher ${port} and doctor --metrics-url http://127.0.0.1:${port}/metrics`;
  return {
    name: 'daemon',
    status: metricsUrl === undefined ? 'skip' : 'fail',
    says: `not looked at, since its /metrics cannot be read: ${unseen}`,
    details: why,
    fix: `${exec}, or ${forward}`,
  };
}
