/**
 * The whole flow on one page:
 *
 *   discovery -> informers -> intake -> reconciler -> work queue -> writer -> event store
 *                                        |     ^                      |          |
 *                              report table   index <- own events <---+----------+
 *
 * Built here from parts that know nothing of each other, started in this order and stopped in reverse.
 */
import type { KubeConfig } from '@kubernetes/client-node';
import { keepBudget } from './budgeting.ts';
import { clusterView } from './cluster-view.ts';
import { readContextsOf, sourcesOn } from './config/read-contexts.ts';
import { ruleSettings } from './config/rules-schema.ts';
import type { Config } from './config/schema.ts';
import { configMapNamespaces } from './config/schema.ts';
import { waitsOf } from './config/waits.ts';
import type { ConfigListener } from './config/watch.ts';
import { absentPaths, sourcesWithRoute } from './config/webhook-routes.ts';
import { configReload } from './config-reload.ts';
import { gaugesOf } from './daemon-gauges.ts';
import type { DaemonTiming } from './daemon-timing.ts';
import { startProbeServer } from './http/server.ts';
import { Inputs } from './inputs.ts';
import type { KubeClientOptions } from './kube/client.ts';
import { KubeClient } from './kube/client.ts';
import { KubeEventStore } from './kube/event-store.ts';
import { Namespaces } from './kube/namespaces.ts';
import { PodOwners } from './kube/pods.ts';
import type { Leadership } from './leadership.ts';
import { leadershipBy } from './leadership.ts';
import type { Clock } from './lib/clock.ts';
import { Books } from './pipeline/books.ts';
import { Breaker } from './pipeline/breaker.ts';
import { EventIndex } from './pipeline/event-index.ts';
import { Lifecycle } from './pipeline/lifecycle.ts';
import { LiveRules } from './pipeline/live-rules.ts';
import { Misplaced } from './pipeline/misplaced.ts';
import { OwnEvents } from './pipeline/own-events.ts';
import { Pace } from './pipeline/pace.ts';
import { Placement } from './pipeline/placement.ts';
import { Reconciler } from './pipeline/reconciler.ts';
import { ReportHealth } from './pipeline/report-health.ts';
import { ReportTable } from './pipeline/report-table.ts';
import { isSentKey, sentKind } from './pipeline/sent-reports.ts';
import type { Shard } from './pipeline/shards.ts';
import { Shards } from './pipeline/shards.ts';
import { Sweeper } from './pipeline/sweeper.ts';
import { WorkQueue } from './pipeline/work-queue.ts';
import { WriteBudget } from './pipeline/write-budget.ts';
import { WriteGates } from './pipeline/write-gates.ts';
import { Writer } from './pipeline/writer.ts';
import { channelsOf } from './sources/channels.ts';
import { signalTest } from './sources/natures.ts';
import type { Source } from './sources/source.ts';
import { ConfigReporter } from './telemetry/config-reporter.ts';
import { expose } from './telemetry/exposition.ts';
import type { ControlledLogger } from './telemetry/logger.ts';
import { createMetrics } from './telemetry/metrics.ts';
import { Reporter } from './telemetry/reporter.ts';
import type { Webhooks } from './webhooks.ts';

export interface DaemonParts {
  readonly config: Config;
  readonly kubeConfig: KubeConfig;
  /** The registry: sources switched off in the configuration are left out here. */
  readonly sources: readonly Source[];
  readonly logger: ControlledLogger;
  readonly clock: Clock;
  /** [0, 1), for jitter. */
  readonly random: () => number;
  readonly version: string;
  /** Of this process, and of no other at any time: in the Leases of replicas. */
  readonly identity: string;
  /** Tells of changes of the configuration until it is ended. */
  watchConfig?(listener: ConfigListener): () => void;
  /** Shorter waits, for tests of failures. */
  readonly timing?: DaemonTiming | undefined;
}

/** A running daemon. */
export interface Daemon {
  /** Where /metrics and the probes answer. */
  readonly port: number;
  /** Where webhooks are served; undefined where there are none. */
  readonly webhookPort: number | undefined;
  /** Ends intake, writes what is queued (within the configured time), closes every connection. */
  stop(): Promise<void>;
}

const requestTimeoutMs = 30_000;
const discoveryMs = 10_000;
const sweepMs = 10_000;
const soonMs = 500;
const millisecondsPerDay = 86_400_000;
const breakerBackoff = { firstMs: 250, maximumMs: 15_000 };

/** Starts the daemon; resolves once its port listens, syncing goes on. Throws when the port is taken. */
export async function startDaemon(parts: DaemonParts): Promise<Daemon> {
  const { config, clock, random, logger, timing } = parts;
  const { namespace, cluster } = config.events;
  const monotonicMs = () => clock.monotonicMs();
  const sources = sourcesOn(config, parts.sources);
  const withRoute = sourcesWithRoute(config, sources);
  const needsAllPods = withRoute.length > 0;
  let isStopping = false;

  // State: what is known, wanted and owed.
  const shards = new Shards(config.leaderElection.shards);
  const index = new EventIndex();
  const reports = new ReportTable();
  const books = new Books();
  const pods = new PodOwners();
  const namespaces = new Namespaces();
  const placement = new Placement({
    mode: config.events.placement,
    central: namespace,
    exists: (name) => namespaces.exists(name),
  });
  const isAnywhere = config.events.placement === 'resource' || config.events.migrate;
  const own = new OwnEvents(
    index,
    signalTest(sources),
    (event, text) => reporter.malformedMute(event, text),
    placement,
    shards,
  );
  const queue = new WorkQueue(config.queue, monotonicMs);
  let webhooks: Webhooks | undefined;

  // Telemetry reads the state at each scrape.
  const gauges = gaugesOf({
    config,
    sources,
    now: () => clock.now(),
    state: () => ({ index, reports, books, queue, own, inputs, budget, gates, health, logger, reporter, misplaced }),
    webhooks: () => webhooks,
    isReady: () => notReady() === undefined,
  });
  const metrics = createMetrics(sources, gauges, parts.version);
  const reporter = new Reporter({ logger, metrics, clock });
  const configReporter = new ConfigReporter({ logger, metrics });

  // Rules: which findings become events. When they change, every report is judged anew.
  const rules = new LiveRules(ruleSettings(config, sources), {
    clock,
    labelsOf: (name) => namespaces.labelsOf(name),
    changed: () => inputs.retell(),
    noticed: (notices) => configReporter.noticed(notices),
  });

  const waits = waitsOf(config, sources);
  const health = new ReportHealth({
    graceMs: (kind, source) => waits(kind, source).graceMs,
    channelOf: channelsOf(sources),
    haltChanged: (channel, isHalted) => reporter.haltChanged(channel, isHalted),
  });
  const view = clusterView({ namespaces, pods, inputs: () => inputs });

  const mayDecide = (shard: Shard) => leadership.mayDecide(shard);
  const budgeting = keepBudget({
    config,
    index,
    shards,
    queue,
    books,
    clock,
    namespaceFor: (resource) => placement.namespaceFor(resource),
    timing,
    mayWrite: mayDecide,
    isSynced: () => inputs.isSynced,
    isRead: () => inputs.isRead,
    unfold: (row) => reconciler.unfold(row),
    cappedChanged: (isCapped, state) => reporter.cappedChanged(isCapped, state),
  });
  const { budget } = budgeting;

  // Decision: reports x events -> intents.
  const reconciler = new Reconciler({
    index,
    reports,
    queue,
    books,
    // Of other shards they may not be read: what is reported there is other replicas' to name.
    lookUpPod: (podNamespace, name) =>
      needsAllPods || shards.readsNamespace(podNamespace) ? pods.lookUp(podNamespace, name) : 'none',
    judge: rules.judge,
    namespaceFor: (resource) => placement.namespaceFor(resource),
    cluster: cluster === '' ? undefined : cluster,
    health,
    view,
    admission: budget,
    mayWrite: mayDecide,
    shards,
    markDirty(object, reason, afterMs) {
      // What was sent cannot be read again: the next one that is sent decides.
      if (isSentKey(object.key)) return;
      reporter.readLater(reason);
      inputs.markDirty(object.key, afterMs);
    },
    signals: { quietMs: (kind, source) => waits(kind, source).quietMs, monotonicMs, stepsMs: timing?.signalStepsMs },
    rejected: (source, key, rejection) => reporter.rejected(source, key, rejection),
  });

  // Output: queue -> server.
  const asking: Pick<KubeClientOptions, 'clock' | 'userAgent' | 'onRequest'> = {
    clock,
    userAgent: `zen-watcher/${parts.version}`,
    onRequest: (request) => metrics.apiRequest(request),
  };
  const connections = config.writes.inFlight + 4;
  const client = new KubeClient(parts.kubeConfig, { ...asking, connections, timeoutMs: requestTimeoutMs });
  const gates = new WriteGates({
    index,
    backoff: breakerBackoff,
    random,
    monotonicMs,
    changed: (cause, where, isStopped, message) => reporter.gateChanged(cause, where, isStopped, message),
  });
  const writer = new Writer({
    queue,
    store: new KubeEventStore(client),
    index,
    own,
    books,
    budget: new WriteBudget(config.writes, monotonicMs),
    breaker: new Breaker(breakerBackoff, monotonicMs, random),
    pace: new Pace(config.writes.inFlight, new Breaker(breakerBackoff, monotonicMs, random)),
    gates,
    clock,
    placement,
    concurrency: config.writes.inFlight,
    mayWrite: (shard) => leadership.mayWrite(shard),
    observer: {
      ended(intent, ending) {
        reporter.ended(intent, ending, monotonicMs(), index.muted.has(index.find(intent.key), clock.now()));
        reconciler.intentEnded(intent.key, ending.kind);
        misplaced.ended(intent, ending);
        budget.ended(intent, ending.kind);
        webhooks?.ended(intent.key);
      },
      delayed(_intent, cause, message) {
        reporter.delayed(cause, message);
        if (cause === 'quota') budget.quotaReached();
      },
      tampered: (intent, what) => reporter.tampered(intent, what),
      moved: (name, from, to) => reporter.moved(name, from, to),
    },
  });

  // Replicas: all read, one writes. What it has to write when it begins, it knows by comparing.
  const leadership: Leadership = leadershipBy({
    ...parts,
    asking,
    registry: metrics.registry,
    ...{ shards, index, own, queue, writer, budget, reconciler },
    inputs: () => inputs,
    readSignals: () => inputs.retellSignals(),
    lookSoon: () => sweeper.soon(),
  });

  // Input: server -> intake.
  const inputs: Inputs = new Inputs({
    sources,
    informing: { client, clock, random, timing: timing?.reflector },
    discoveryMs: timing?.discoveryMs ?? discoveryMs,
    namespace: isAnywhere ? undefined : namespace,
    own,
    shards,
    needsAllPods,
    pods,
    namespaces,
    reconciler,
    books,
    queue,
    reporter,
    clock,
    watchNamespaces: config.watch.namespaces,
    configMapNamespaces: configMapNamespaces(config),
    relistMs: timing?.relistMs,
    context: readContextsOf(config, sources),
    policyGone: () => sweeper.soon(),
    namespaceGone: () => sweeper.soon(),
    labelsChanged: (keys) => rules.labelsChanged(keys),
    namespaceChanged: () => (isAnywhere ? sweeper.soon() : undefined),
  });
  const lifecycle = new Lifecycle({
    index,
    reports,
    queue,
    health,
    view,
    waits,
    kindState: (kind) => (kind === sentKind ? { kind: 'sent' } : inputs.kindState(kind)),
    handBack: (record) => reconciler.handBack(record),
    mayWrite: mayDecide,
    unverifiedMs: config.lifecycle.unverifiedDays * millisecondsPerDay,
  });
  const misplaced = new Misplaced({
    index,
    own,
    queue,
    placement,
    mayWrite: mayDecide,
    changed: (count) => reporter.misplaced(count),
    more: () => sweeper.soon(),
  });
  const sweeper = new Sweeper({
    intervalMs: timing?.sweepMs ?? sweepMs,
    soonMs: Math.min(soonMs, timing?.sweepMs ?? soonMs),
    // While the server does not answer, nothing is known to be away.
    sweep() {
      if (!inputs.isLive) return;
      lifecycle.sweep({ now: clock.now(), monotonicMs: monotonicMs() });
      if (isAnywhere) misplaced.sweep(monotonicMs());
    },
  });
  if (withRoute.length > 0) {
    const { startWebhooks } = await import('./webhooks.ts');
    webhooks = await startWebhooks({
      config: config.webhooks,
      sources: withRoute,
      index,
      queue,
      books,
      reconciler,
      clock,
      isReady: () => inputs.isOpen,
      context: readContextsOf(config, sources),
      rejected: (source, sender, rejection) => reporter.rejected(source, sender, rejection),
      metrics,
      logger,
      ...timing?.webhooks,
    });
  }
  const probes = await startProbeServer({
    host: config.server.host,
    port: config.server.metricsPort,
    notReady,
    serve: (request, response) => webhooks?.serve(request, response) ?? false,
    metrics: (accept) => expose(metrics, accept),
  });

  writer.start();
  sweeper.start();
  budgeting.start();
  // With several shards it is the election that says what to read.
  if (shards.count === 1) inputs.start();
  const placed = leadership.start().then(() => (isStopping || shards.count === 1 ? undefined : inputs.start()));
  rules.start();
  const unwatchConfig = parts.watchConfig?.(
    configReload({ started: config, sources, rules, reporter: configReporter, logger }),
  );
  configReporter.withoutCredential(absentPaths(config, parts.sources));
  logger.info('zen-watcher started', {
    version: parts.version,
    namespace,
    sources: sources.map(({ name }) => name).join(','),
    metricsPort: probes.port,
  });

  return {
    port: probes.port,
    webhookPort: webhooks?.port,
    async stop() {
      isStopping = true;
      webhooks?.stopAccepting();
      sweeper.stop();
      unwatchConfig?.();
      rules.stop();
      budgeting.stop();
      await inputs.stopReports();
      const isDrained = await writer.drain(config.shutdown.drainSeconds * 1000);
      await webhooks?.close();
      await writer.stop();
      await leadership.stop();
      await placed;
      await inputs.stopEvents();
      await client.close();
      await probes.close();
      reporter.stopped(isDrained, queue.items, queue.remove(({ isSent }) => isSent === true).length);
    },
  };

  /** Not ready until everything was listed once; after that only a full queue takes it back, an API outage does not. */
  function notReady(): string | undefined {
    if (!inputs.isSynced) return 'the first listing is not complete';
    return queue.isFull ? 'the queue is full' : undefined;
  }
}
