/**
 * A scenario in which every metric of the daemon moves, on a real API server, seen by a real Prometheus. The faults are put in
 * by the server itself where it can (rights, a quota), else by a proxy in front of it.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { parse } from 'yaml';
import { metricsOfDaemon } from '../../cmd/generate/metrics-doc.ts';
import { daemonMigrationRules } from '../../src/api/roles.ts';
import { ApiProxy, type ProxiedRequest } from './api-proxy.ts';
import { eventsPath } from './crd.ts';
import { type DaemonProcess, type DaemonSettings, logged, ready } from './daemon.ts';
import { changeRules, readRules } from './daemon-account.ts';
import { caseFile } from './format-cases.ts';
import type { Prometheus } from './prometheus.ts';
import { electingHome, election } from './replica-run.ts';
import { repositoryRoot } from './repository.ts';
import type { Home, Stage } from './stage.ts';
import { until } from './until.ts';
import {
  eventNames,
  putReport,
  type Report,
  removeReports,
  vulnerabilities,
  vulnerabilityReport,
} from './vulnerability-reports.ts';
import { webhookPort } from './webhook-runs.ts';
import { WebhookSender } from './webhook-sender.ts';

const files = join(repositoryRoot, 'charts/zen-watcher/files');
const metricName = /\b(?:zen_watcher|nodejs|process)_[a-z0-9_]+\b/g;
/** In pages, which know other words that begin with process_. */
const ownMetricName = /\bzen_watcher_[a-z0-9_]+\b/g;
/** As the page says it of a metric that moves only where something is broken that must not be. */
const mustStayZero = /always 0\.$/;
const budgetEvents = 100;
const mostConnections = 4;

/** Every query of the dashboards. */
export function dashboardQueries(): string[] {
  return readdirSync(join(files, 'dashboards')).flatMap((file) => {
    const { panels } = JSON.parse(readFileSync(join(files, 'dashboards', file), 'utf8'));
    return panels.flatMap(({ targets }: { targets: { expr: string }[] }) => targets.map(({ expr }) => expr));
  });
}

/** Every metric that the registry holds, or that an alert, a dashboard or a page names: without the parts of a histogram. */
export function namedMetrics(): Map<string, string> {
  const registered = new Map(metricsOfDaemon().map(({ name, help }) => [name, help]));
  const rules = parse(readFileSync(join(files, 'alerts.yaml'), 'utf8')).groups.flatMap(
    ({ rules: own }: { rules: { expr: string }[] }) => own.map(({ expr }) => expr),
  );
  const pages = readdirSync(join(repositoryRoot, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((page) => page.endsWith('.md'))
    .map((page) => readFileSync(join(repositoryRoot, 'docs', page), 'utf8'));
  const queries = [...rules, ...dashboardQueries()];
  const named = [
    ...queries.flatMap((text) => text.match(metricName) ?? []),
    ...pages.flatMap((text) => text.match(ownMetricName) ?? []),
  ];
  for (const name of named) {
    const whole = name.replace(/_(?:bucket|count|sum)$/, '');
    if (!registered.has(whole)) registered.set(name, '');
  }
  return registered;
}

/** The metrics that had no value but 0 at any time, without those of which the page says that they must not. */
export async function neverMoved(prometheus: Prometheus): Promise<string[]> {
  const moved = await prometheus.moved();
  const hasMoved = (name: string) => moved.has(name) || moved.has(`${name}_count`);
  return [...namedMetrics()]
    .filter(([name, help]) => !hasMoved(name) && !mustStayZero.test(help))
    .map(([name]) => name);
}

/** What the scenario plays with. */
export interface MovingMetrics {
  readonly stage: Stage;
  readonly home: Home;
  readonly proxy: ApiProxy;
  readonly daemon: DaemonProcess;
}

/** Starts the daemon of the scenario. */
export async function startMovingMetrics(stage: Stage): Promise<MovingMetrics> {
  const home = await electingHome(stage);
  await changeRules(stage.rest, home.account, [...readRules, ...daemonMigrationRules]);
  const proxy = await ApiProxy.open(stage.controlPlane);
  const daemon = await stage.daemonProcess(home, settingsOf(home.namespace), proxy.url);
  await ready(daemon);
  return { stage, home, proxy, daemon };
}

const settingsOf = (namespace: string): DaemonSettings => ({
  queue: { items: 40 },
  writes: { inFlight: 4 },
  config: {
    events: { namespace, migrate: true },
    budget: { events: budgetEvents },
    due: { critical: 0.0001 },
    sources: { trivy: { graceSeconds: 1 } },
    leaderElection: election,
    webhooks: {
      port: 0,
      host: '127.0.0.1',
      maxConnections: mostConnections,
      maxBodyBytes: 4096,
      routes: { kubearmor: { open: true } },
    },
  },
});

/** A step of the scenario: what is done, and the metrics that Prometheus must have seen move by it. */
interface Step {
  /** It waits for what the daemon does every 10 s. */
  readonly isSlow?: true;
  readonly moves: readonly string[];
  /** Does it; gives what ends it again once it was seen. */
  do(scene: Scene): Promise<(() => Promise<void>) | undefined>;
}

interface Scene extends MovingMetrics {
  readonly team: string;
  /** Events of the first report. */
  readonly names: readonly string[];
}

const first = (team: string) =>
  vulnerabilityReport({
    namespace: team,
    workload: 'web',
    vulnerabilities: [{ id: 'CVE-2026-1', severity: 'CRITICAL' }, ...vulnerabilities(3)],
  });
const small = (team: string, workload: string) =>
  vulnerabilityReport({ namespace: team, workload, vulnerabilities: [{ id: 'CVE-2026-2', severity: 'CRITICAL' }] });
const throttled = ({ method, path }: ProxiedRequest) =>
  path.includes('/zenagentevents') && method !== 'GET'
    ? { code: 429, headers: { 'retry-after': '1' }, message: 'too many requests' }
    : undefined;

/** The metrics that only slow steps move. */
export const movedSlowly = (): string[] => steps.filter(({ isSlow }) => isSlow).flatMap(({ moves }) => moves);

/** Plays the steps, the slow ones too or without them, each until its metrics were seen. Gives how long each took. */
export async function moveEverything(
  moving: MovingMetrics,
  prometheus: Prometheus,
  { isWhole }: { readonly isWhole: boolean },
): Promise<string[]> {
  const took: string[] = [];
  const team = await moving.stage.namespace('team');
  const scene = { ...moving, team, names: eventNames(first(team)) };
  for (const { moves, do: act } of steps.filter(({ isSlow }) => isWhole || !isSlow)) {
    const begin = performance.now();
    const end = await act(scene);
    let still: readonly string[] = moves;
    await until(
      `${moves.join(', ')} to move`,
      async () => {
        const moved = await prometheus.moved(still);
        still = still.filter((name) => !moved.has(name) && !moved.has(`${name}_count`));
        return still.length === 0;
      },
      { pauseMs: 250 },
    ).catch((error: unknown) => {
      throw new Error(`not moved: ${still.join(', ')}`, { cause: error });
    });
    await end?.();
    took.push(`${Math.round(performance.now() - begin)} ms ${moves[0]}`);
  }
  return took;
}

const steps: readonly Step[] = [
  // What a tool finds.
  {
    moves: ['zen_watcher_events_total', 'zen_watcher_detected_to_written_seconds', 'zen_watcher_overdue_events'],
    async do({ stage, home, team, names }) {
      await putReport(stage, first(team));
      for (const name of names) await stage.eventWhen(home.namespace, name, 'there', () => true);
      return undefined;
    },
  },
  // What people do with events.
  {
    moves: [
      'zen_watcher_tampered_events_total',
      'zen_watcher_muted_events',
      'zen_watcher_malformed_mutes_total',
      'zen_watcher_foreign_events',
    ],
    async do({ stage, home, names: [tampered, muted, badlyMuted] }) {
      const patch = (name: string | undefined, body: object) =>
        stage.must(200, 'PATCH', `${eventsPath(home.namespace)}/${name}?fieldManager=somebody`, body, 'merge');
      await patch(tampered, { spec: { title: 'nothing to see here' } });
      await patch(muted, { metadata: { annotations: { 'zen.kube-zen.io/muted-until': '2999-01-01' } } });
      await patch(badlyMuted, { metadata: { annotations: { 'zen.kube-zen.io/muted-until': 'some day' } } });
      await stage.must(201, 'POST', eventsPath(home.namespace), {
        apiVersion: 'zen.kube-zen.io/v1',
        kind: 'ZenAgentEvent',
        metadata: { name: 'of-an-older-version' },
        spec: { source: 'trivy', category: 'security', severity: 'high', eventType: 'vulnerability' },
      });
      return undefined;
    },
  },
  // A server that asks to write more slowly while more is found than the queue takes and the budget allows.
  {
    moves: [
      'zen_watcher_queue_full',
      'zen_watcher_queue_items',
      'zen_watcher_queue_bytes',
      'zen_watcher_findings_pending',
      'zen_watcher_dirty_reports',
      'zen_watcher_rereads_total',
      'zen_watcher_write_retries_total',
    ],
    async do({ stage, proxy, team }) {
      proxy.refuse = throttled;
      for (const workload of ['big', 'bigger', 'biggest']) {
        await putReport(
          stage,
          vulnerabilityReport({ namespace: team, workload, vulnerabilities: vulnerabilities(50) }),
        );
      }
      return async () => proxy.passAll();
    },
  },
  { moves: ['zen_watcher_folded_findings'], do: async () => undefined },
  // An event in a namespace that is not its own.
  {
    isSlow: true,
    moves: ['zen_watcher_misplaced_events'],
    async do({ stage, home, proxy, team, names: [name] }) {
      const { apiVersion, kind, spec, metadata } = await stage.must(
        200,
        'GET',
        `${eventsPath(home.namespace)}/${name}`,
      );
      const copy = { apiVersion, kind, metadata: { name, labels: metadata.labels }, spec };
      proxy.refuse = throttled;
      await stage.must(201, 'POST', eventsPath(team), copy);
      return async () => proxy.passAll();
    },
  },
  { isSlow: true, moves: ['zen_watcher_moved_events_total'], do: async () => undefined },
  // A report that is none, a line of a watch that is none, and one that never came: a listing finds it when the rules change.
  {
    moves: [
      'zen_watcher_rejected_total',
      'zen_watcher_findings_rejected_total',
      'zen_watcher_malformed_watch_lines_total',
      'zen_watcher_config_reloads_total',
      'zen_watcher_relist_corrections_total',
    ],
    async do({ stage, home, proxy, daemon, team }) {
      const broken = { ...small(team, 'broken'), report: { vulnerabilities: 'none' } };
      await putReport(stage, broken as unknown as Report);
      let damaged = 0;
      proxy.line = (line) => {
        if (line.includes('"name":"replicaset-lost-')) return undefined;
        if (!line.includes('"name":"replicaset-damaged-') || damaged > 0) return line;
        damaged += 1;
        return 'no JSON';
      };
      await putReport(stage, small(team, 'lost'));
      await putReport(stage, small(team, 'damaged'));
      await until('the damaged line to come again', async () => damaged > 0);
      await logged(daemon, 'the API server sent a malformed watch line');
      const after = small(team, 'after');
      await putReport(stage, after);
      await logged(daemon, 'event created', { event: eventNames(after)[0] ?? '' });
      proxy.passAll();
      const settings = settingsOf(home.namespace);
      daemon.reconfigure({
        ...settings,
        config: { ...settings.config, mutes: [{ source: 'kube-bench', reason: 'a change' }] },
      });
      return undefined;
    },
  },
  // A permission that is taken away.
  {
    moves: ['zen_watcher_informer_forbidden', 'zen_watcher_informer_stale_seconds'],
    async do({ stage, home, proxy, daemon }) {
      const all = [...readRules, ...daemonMigrationRules];
      await changeRules(
        stage.rest,
        home.account,
        all.filter(({ resources }) => !resources.includes('vulnerabilityreports')),
      );
      // The authorizer hears of it in a moment; a watch that is open goes on until it ends.
      const cutting = setInterval(() => proxy.cutWatches('vulnerabilityreports'), 500);
      await logged(daemon, 'forbidden: allow list and watch on it').finally(() => clearInterval(cutting));
      return () => changeRules(stage.rest, home.account, all);
    },
  },
  // What is sent: too much of it, by too many, and too slowly.
  {
    moves: [
      'zen_watcher_webhook_requests_total',
      'zen_watcher_webhook_bytes_total',
      'zen_watcher_webhook_duration_seconds',
      'zen_watcher_webhook_refused_total',
      'zen_watcher_webhook_requests_in_flight',
      'zen_watcher_webhook_bytes_in_flight',
      'zen_watcher_webhook_connections_refused_total',
    ],
    async do({ daemon }) {
      const port = webhookPort(daemon);
      const sender = new WebhookSender(port, '/webhook/kubearmor');
      assert.equal(await sender.send(readFileSync(caseFile('kubearmor', 'one'), 'utf8')), 200);
      assert.equal(await sender.send({ Message: 'x'.repeat(5_000) }), 413);
      await sender.close();
      const sockets = Array.from({ length: mostConnections + 4 }, () =>
        connect(port, '127.0.0.1').on('error', () => {}),
      );
      for (const socket of sockets) {
        socket.write(
          `POST /webhook/kubearmor HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2000\r\n\r\n{"Type":`,
        );
      }
      return async () => {
        for (const socket of sockets) socket.destroy();
      };
    },
  },
  // A lease that cannot be renewed.
  {
    moves: ['zen_watcher_lease_failures_total'],
    async do({ proxy }) {
      proxy.refuse = ({ method, path }) =>
        path.includes('/leases/') && method !== 'GET' ? { code: 500, message: 'no leases today' } : undefined;
      return async () => proxy.passAll();
    },
  },
  // Whoever reads the log stops; reports of nonsense fill it: with some lines each, however many of their entries are broken.
  {
    moves: ['zen_watcher_log_lines_dropped_total'],
    async do({ stage, daemon, team }) {
      daemon.holdOutput(true);
      const report = { vulnerabilities: new Array(9).fill(null) };
      for (let number = 0; number < 350; number += 1) {
        const metadata = { name: `nonsense-${'x'.repeat(200)}-${number}`, namespace: team };
        await putReport(stage, { ...small(team, 'nonsense'), metadata, report } as unknown as Report);
      }
      return async () => daemon.holdOutput(false);
    },
  },
  // A ResourceQuota that is used up, as the server refuses what is beyond it.
  {
    isSlow: true,
    moves: ['zen_watcher_budget_breaker_open', 'zen_watcher_stopped_writes'],
    async do({ stage, home, team }) {
      const path = `/api/v1/namespaces/${home.namespace}/resourcequotas`;
      const hard = { 'count/zenagentevents.zen.kube-zen.io': '1' };
      await stage.must(201, 'POST', path, { metadata: { name: 'events' }, spec: { hard } });
      // No controller counts here.
      await stage.must(200, 'PATCH', `${path}/events/status`, { status: { hard, used: hard } }, 'merge');
      await putReport(stage, small(team, 'quota'));
      return async () => void (await stage.must(200, 'DELETE', `${path}/events`));
    },
  },
  // All reports vanish at once, and stay away.
  {
    isSlow: true,
    moves: ['zen_watcher_halted_channels', 'zen_watcher_stale_events'],
    async do({ stage, team }) {
      await removeReports(stage, team);
      return undefined;
    },
  },
];
