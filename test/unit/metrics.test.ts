/** Metrics: how many series there can be, and how they are written (I5). */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { suite, test } from 'node:test';
import { severities } from '../../src/api/words.ts';
import { accounts } from '../../src/pipeline/books.ts';
import { EventIndex } from '../../src/pipeline/event-index.ts';
import { openEvents } from '../../src/pipeline/open-events.ts';
import { sources } from '../../src/sources/registry.ts';
import { rejectionReasons } from '../../src/sources/source.ts';
import { expose } from '../../src/telemetry/exposition.ts';
import { LabelBound } from '../../src/telemetry/label-bound.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createMetrics, type Gauges } from '../../src/telemetry/metrics.ts';
import { Reporter } from '../../src/telemetry/reporter.ts';
import { createWebhookMetrics } from '../../src/telemetry/webhook-metrics.ts';
import { Collector } from '../support/collector.ts';
import { skipWithout } from '../support/debian-tools.ts';
import { Scrape } from '../support/metrics-text.ts';

/** docs/metrics.md promises it. */
const mostSeries = 2_000;
const clock = { now: () => new Date(1_700_000_000_000), monotonicMs: () => 0 };

/** Gauges of a daemon that has something of everything. */
function busyGauges(informers: () => ReturnType<Gauges['informers']>): Gauges {
  const zeros = (words: readonly string[]) => Object.fromEntries(words.map((word) => [word, 1]));
  return {
    books: () => ({ received: 0, pending: 0, accounts: zeros(accounts), rejected: zeros(rejectionReasons) }) as never,
    isReady: () => true,
    isQueueFull: () => false,
    queueItems: () => 1,
    queueBytes: () => 1,
    dirtyReports: () => 1,
    ownEvents: () => 1,
    openEvents: () =>
      sources.flatMap(({ emits }) =>
        emits.flatMap((source) => severities.map((severity) => ({ source, severity, active: 2, overdue: 1 }))),
      ),
    foreignEvents: () => 1,
    mutedEvents: () => 1,
    misplacedEvents: () => 1,
    reports: () => 1,
    budget: () => ({ used: 1, limit: 5, folded: new Map() }) as never,
    gates: () => 1,
    staleEvents: () => ({ ReportMissing: 1, SourceGone: 1, SourceSilent: 1 }),
    haltedChannels: () => 1,
    droppedLogLines: () => 1,
    informers,
    tools: () => sources.map(({ name }) => ({ tool: name, isActive: true })),
  };
}

suite('metrics', () => {
  let reporter: Reporter;
  const metrics = createMetrics(
    sources,
    busyGauges(() => reporter.informers()),
    '1.2.3',
  );
  const webhooks = createWebhookMetrics(
    metrics.registry,
    { endpoints: sources.map(({ name }) => `/webhook/${name}`), statuses: [200, 202, 400, 401, 413, 415, 429, 503] },
    { bytesInFlight: () => 1, requestsInFlight: () => 1 },
  );
  reporter = new Reporter({ logger: createLogger({ level: 'error', out: new Collector() }), metrics, clock });

  test('stay under the cap with 100,000 findings in 5,000 namespaces, 5,000 kinds and any status', async (t) => {
    for (let kind = 0; kind < 5_000; kind += 1) {
      reporter.watch(`kind${kind}.constraints.example`, { state: { kind: 'live' }, size: 1 });
      reporter.malformedLine(`kind${kind}.constraints.example`, 'x');
      metrics.apiRequest({ verb: 'list', resource: `kind${kind}`, code: 200 });
      metrics.apiRequest({ verb: `verb${kind}`, resource: `kind${kind % 70}`, code: kind % 599 });
    }
    for (let finding = 0; finding < 100_000; finding += 1) {
      const namespace = `namespace-${finding % 5_000}`;
      const source = sources[finding % sources.length];
      const facts = {
        severity: severities[finding % severities.length] ?? 'low',
        category: source?.eventTypes[0]?.category ?? 'security',
        eventType: 'vulnerability',
        resourceNamespace: namespace,
        subject: `Deployment/app-${finding}`,
        title: `CVE-2026-${finding}`,
      };
      const intent = { kind: 'present', key: `trivy-${finding}`, source: source?.emits[0], facts, readAtMs: -finding };
      reporter.ended(intent as never, { kind: 'created' } as never, 0);
      reporter.rejected('trivy', `VulnerabilityReport ${namespace}/x`, {
        reason: 'malformed',
        place: '.x',
        message: 'y',
      });
      webhooks.handled({ endpoint: undefined, status: 404, bytes: 1, seconds: 1 });
    }
    const { text } = await expose(metrics);
    const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
    t.diagnostic(`${series} series`);
    assert.ok(series <= mostSeries, `${series} series`);
    const scrape = new Scrape(text);
    assert.equal(scrape.value('zen_watcher_events_total'), 100_000);
    assert.equal(scrape.value('zen_watcher_informer_objects'), 5_000);
    assert.equal(scrape.value('zen_watcher_informer_objects', { resource: 'other' }), 4_900);
    assert.equal(scrape.value('zen_watcher_api_requests_total'), 10_000);
  });

  test('are Prometheus text, or OpenMetrics with exemplars for whoever accepts it', async () => {
    metrics.detectedToWritten(0.007, 'trivy-abc', clock.now());
    metrics.detectedToWritten(99, 'trivy-slow', clock.now());
    const plain = await expose(metrics, 'text/plain');
    assert.match(plain.contentType, /^text\/plain/);
    assert.match(plain.text, /^# TYPE zen_watcher_events_total counter$/m);
    const open = await expose(metrics, 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5');
    assert.match(open.contentType, /^application\/openmetrics-text/);
    assert.match(open.text, /^# TYPE zen_watcher_events counter$/m);
    assert.match(open.text, /^zen_watcher_events_total\{source="trivy"/m);
    assert.match(open.text, /_bucket\{le="0\.01"\} \d+ # \{event="trivy-abc"\} 0\.007 1700000000\.000$/m);
    assert.match(open.text, /_bucket\{le="\+Inf"\} \d+ # \{event="trivy-slow"\} 99 /m);
    assert.ok(open.text.endsWith('\n# EOF\n'));
    // Asking for OpenMetrics changes nothing for the next one.
    assert.deepEqual(
      (await expose(metrics)).text.split('\n').filter((line) => line.startsWith('# TYPE')),
      plain.text.split('\n').filter((line) => line.startsWith('# TYPE')),
    );
  });

  test('have nothing that promtool complains of', { skip: skipWithout('promtool') }, async () => {
    const { text } = await expose(metrics);
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
    const complaints = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('zen_watcher_'));
    assert.deepEqual(complaints, []);
    assert.ok(status === 0 || status === 3, stderr);
  });
});

suite('open events', () => {
  const hour = 3_600_000;
  const now = new Date(1_700_000_000_000);
  const due = { critical: 24 * hour, high: 48 * hour, medium: 0, low: hour, info: 0, unknown: hour };

  test('are counted by source and severity, and as overdue from their due time on', () => {
    const index = new EventIndex();
    const put = (
      name: string,
      severity: 'critical' | 'medium',
      ageHours: number,
      { isResolved = false, mutedHours = 0 } = {},
    ) => {
      const row = index.obtain(name, 'zen-system');
      const facts = {
        severity,
        resourceNamespace: '',
        shard: 0,
        resourceHash: 1,
        isPod: false,
        reportKind: '',
        policy: '',
        isSignal: false,
      };
      index.setFacts(row, facts);
      const sinceMs = now.getTime() - ageHours * hour;
      index.setStored(row, {
        resourceVersion: '1',
        contentHash: 1,
        isResolved,
        severity,
        isEdited: false,
        count: 1,
        sinceMs,
        mutedUntilMs: now.getTime() + mutedHours * hour,
      });
    };
    const nameOf = (letter: string) => `trivy-${letter.repeat(26)}`;
    put(nameOf('a'), 'critical', 25);
    put(nameOf('b'), 'critical', 23);
    put(nameOf('c'), 'critical', 1_000, { isResolved: true });
    put(nameOf('e'), 'critical', 30, { mutedHours: 1 });
    put(nameOf('f'), 'critical', 30, { mutedHours: -1 });
    put(nameOf('d'), 'medium', 10_000);
    const counts = openEvents(index, due, now).filter(({ active }) => active > 0);
    assert.deepEqual(counts, [
      { source: 'trivy', severity: 'critical', active: 4, overdue: 2 },
      { source: 'trivy', severity: 'medium', active: 1, overdue: 0 },
    ]);
  });
});

test('a label takes so many words, then other', () => {
  const bound = new LabelBound(2);
  assert.deepEqual(
    ['a', 'b', 'c', 'a', 'd'].map((word) => bound.word(word)),
    ['a', 'b', 'other', 'a', 'other'],
  );
});
