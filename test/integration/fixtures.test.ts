/**
 * Real reports on a real server: every file of the open fixtures that a source watches gives the events that `scan` gives
 * and counts.json says, and nothing is written twice, whatever happens to the reports.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { EventSpec, ObjectReference, ZenAgentEvent } from '../../src/api/event.ts';
import type { StoredEvent } from '../../src/api/stored-event.ts';
import { kubectlOutput } from '../cluster/kubectl.ts';
import { tallyOf } from '../support/audit-log.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { assertBooksBalance, ready, received, scrape } from '../support/daemon.ts';
import { pureEvents } from '../support/pure-events.ts';
import type { LoadedReport } from '../support/report-loader.ts';
import { loadReports, putReports, removeReports } from '../support/report-loader.ts';
import { openFixtures } from '../support/reports.ts';
import { scanDocuments, scanFile } from '../support/scanned.ts';
import { Stage } from '../support/stage.ts';
import { ToolCrds } from '../support/tool-crds.ts';
import { until } from '../support/until.ts';

interface Count {
  readonly total: number;
  readonly unit: 'findings' | 'entries';
  readonly by?: Readonly<Record<string, number>>;
}

const folder = openFixtures();
const counts: Readonly<Record<string, Count>> =
  folder === undefined ? {} : JSON.parse(readFileSync(join(folder, 'counts.json'), 'utf8'));
const files =
  folder === undefined
    ? []
    : globSync('{trivy-operator,policyreport,openreports,kubewarden}/*', { cwd: folder }).toSorted();

/** Where counts.json counts entries: how many events they are, and why. */
const entriesThatFold: Readonly<Record<string, { readonly events: number; readonly why: string }>> = {
  'policyreport/kubearmor-adapter-list.yaml': {
    events: 2,
    why: 'two of the three entries name the same pod, container and resource: one finding that occurred twice',
  },
  'policyreport/trivy-adapter-zipkin.yaml': {
    events: 13,
    why: 'the entry without a severity has no result either: there is nothing to report in it',
  },
};

/** Where an event has a severity although counts.json, which counts the field of that name, says that none is stated. */
const otherSeverities: Readonly<Record<string, { readonly by: Count['by']; readonly why: string }>> = {
  'policyreport/falco-adapter.yaml': { by: { low: 1, medium: 1 }, why: 'the adapter writes properties.severity' },
  'openreports/falco-report-and-clusterreport.yaml': { by: { low: 1, medium: 1 }, why: 'the same in the other group' },
};

/** Files of Trivy's adapter: what it copied is filtered while its source is on. */
const copies = /^policyreport\/trivy-/;

/** Files whose events have other names on the server than straight from the file: what the loader had to change. */
const loaderChanges: Readonly<Record<string, string>> = {
  'openreports/cis-kube-bench-report.yaml': 'it has no namespace, and its findings are about the report itself',
  'policyreport/kyverno-vap-ivp-same-policy-name.yaml': 'it has no namespace, and that of its resource is identity',
  'policyreport/trivy-adapter-zipkin.yaml': 'only its owner reference, which is dropped, says which Pod it is about',
};

interface Loaded {
  readonly file: string;
  readonly path: string;
  readonly reports: readonly LoadedReport[];
}

/**
 * What can be compared: detectedAt is the moment of the daemon's run, and the server hands a report out in the version
 * that we ask for, whatever the file says; a finding about no object is about the report.
 */
function comparable({ detectedAt: _detectedAt, origin, resource, ...rest }: EventSpec): unknown {
  const unversioned = (reference: ObjectReference | undefined) =>
    reference === undefined ? undefined : { ...reference, apiVersion: reference.apiVersion?.split('/')[0] };
  const isReport = resource?.kind === origin?.kind;
  return { ...rest, origin: unversioned(origin), resource: isReport ? unversioned(resource) : resource };
}

/** As a tool does it at every scan: the same content with the time of now. */
function rescanned(report: LoadedReport): LoadedReport {
  const seconds = Math.floor(Date.now() / 1000);
  const body = report['report'] as object | undefined;
  const results = report['results'] as readonly { timestamp?: object }[] | undefined;
  const status = report['status'] as object | undefined;
  if (status !== undefined) {
    return { ...report, status: { ...status, updateTimestamp: new Date(seconds * 1000).toISOString() } };
  }
  return {
    ...report,
    metadata: {
      ...report.metadata,
      annotations: { ...(report.metadata['annotations'] as object), rescan: String(seconds) },
    },
    ...(body !== undefined && 'updateTimestamp' in body
      ? { report: { ...body, updateTimestamp: new Date(seconds * 1000).toISOString() } }
      : {}),
    ...(results === undefined
      ? {}
      : {
          results: results.map((result) =>
            'timestamp' in result ? { ...result, timestamp: { seconds, nanos: 0 } } : result,
          ),
        }),
  };
}

suite('real reports', { skip: folder === undefined ? 'the folder of real reports is not here' : false }, () => {
  let stage: Stage;
  let crds: ToolCrds;
  const widths: { readonly file: string; readonly width: number }[] = [];
  let skipped = 0;

  before(async () => {
    stage = await Stage.start({ crds: 'events' });
    crds = new ToolCrds(stage);
  });
  after(() => stage?.stop());

  /** Waits until the daemon has exactly so many reports and has dealt with so many occurrences. */
  async function caughtUp(daemon: TestDaemon, objects: number, occurrences: number): Promise<void> {
    await until(`${objects} reports in the daemon`, async () => {
      const now = await scrape(daemon);
      const resources = now.samples.filter(
        ({ name, labels }) => name === 'zen_watcher_informer_objects' && isReport(labels),
      );
      return resources.reduce((sum, { value }) => sum + value, 0) === objects;
    });
    await received(daemon, occurrences);
  }

  /** The whole life of a file's reports on the server. Gives the names of their events. */
  async function live({ file, path, reports }: Loaded): Promise<string[]> {
    const home = await stage.home('fixtures');
    const enabled = !copies.test(file);
    const config = { sources: { trivy: { enabled } } };
    const daemon = await stage.daemon(home, { timing: { discoveryMs: 500 }, config });
    await ready(daemon);

    const expected = await scanDocuments(reports);
    const occurrences = pureEvents(reports).length;
    const names = expected.map(({ metadata }) => metadata.name).sort();
    await putReports(stage, reports);
    await caughtUp(daemon, reports.length, occurrences);
    const events = await stage.events(home.namespace);
    compare(events, expected);
    checkCount(file, events);
    const straight = (await scanFile(path)).map(({ metadata }) => metadata.name).sort();
    assert.equal(straight.length, names.length);
    if (!(file in loaderChanges)) assert.deepEqual(straight, names);
    else assert.notDeepEqual(straight, names, 'there is nothing to explain any more');
    await look(file, home.namespace);

    const creates = names.length === 0 ? {} : { 'create 201': names.length };
    const writes = () => tallyOf(stage.audit.writes(home.namespace));
    assert.deepEqual(writes(), creates);

    // Applied again as it was, then as a rescan leaves it.
    await putReports(stage, reports);
    await putReports(stage, reports.map(rescanned));
    await caughtUp(daemon, reports.length, occurrences * 2);
    assert.deepEqual(writes(), creates, 'a rescan wrote');

    // Deleted and made again.
    await removeReports(stage, reports);
    await caughtUp(daemon, 0, 0);
    await putReports(stage, reports);
    await caughtUp(daemon, reports.length, occurrences * 3);
    assert.deepEqual(writes(), creates, 'reports that were made again wrote');
    await assertBooksBalance(daemon);
    await stage.end(daemon);

    // A restart.
    const next = await stage.daemon(home, { config });
    await ready(next);
    await caughtUp(next, reports.length, occurrences);
    await assertBooksBalance(next);
    assert.deepEqual(writes(), creates, 'a restart wrote');
    compare(await stage.events(home.namespace), expected);
    await stage.end(next);
    return names;
  }

  for (const file of files) {
    test(file, async (t) => {
      const path = join(folder ?? '', file);
      const reports = await loadReports(path);
      if (reports.length === 0) {
        skipped += 1;
        return t.skip('no source watches its kind');
      }
      const fit = await crds.fit(reports);
      for (const why of fit.refusals) t.diagnostic(`refused by ${why}`);
      // Whatever comes of it, the next file's daemon shall see its own reports only.
      t.after(() => removeReports(stage, reports));
      const names = await live({ file, path, reports });
      t.diagnostic(`${reports.length} reports, ${names.length} events, CRD ${fit.variant}`);
    });
  }

  test('the table of kubectl get is narrow', (t) => {
    // A subject that the loader made longer than it was says nothing about the table.
    const fair = widths.filter(({ file }) => !(file in loaderChanges));
    const share = fair.filter(({ width }) => width < 140).length / fair.length;
    const longest = Math.max(...widths.map(({ width }) => width));
    t.diagnostic(`${widths.length} lines, the longest ${longest}, ${Math.round(share * 100)} % under 140`);
    t.diagnostic(`${skipped} files are of kinds that no source watches yet`);
    assert.ok(longest <= 160);
    assert.ok(share >= 0.9);
  });

  /** As a user looks at it. */
  async function look(file: string, namespace: string): Promise<void> {
    const table = await kubectlOutput(stage.controlPlane, ['get', 'zenevents', '-n', namespace]);
    for (const line of table.split('\n')) if (line !== '') widths.push({ file, width: line.length });
  }
});

/** Pods, namespaces, policies and events are watched as well. */
function isReport({ resource = '' }: Readonly<Record<string, string>>): boolean {
  return /reports\./.test(resource);
}

function compare(events: readonly StoredEvent[], expected: readonly ZenAgentEvent[]): void {
  const scanned = new Map(expected.map((event) => [event.metadata.name, event]));
  assert.deepEqual(events.map(({ metadata }) => metadata.name).sort(), [...scanned.keys()].sort());
  for (const { metadata, spec, status } of events) {
    const wanted = scanned.get(metadata.name) as ZenAgentEvent;
    assert.deepEqual(comparable(spec), comparable(wanted.spec));
    assert.deepEqual(metadata.labels, wanted.metadata.labels);
    assert.deepEqual(status, { phase: 'Active', count: 1 });
  }
}

function checkCount(file: string, events: readonly StoredEvent[]): void {
  const count = counts[file];
  assert.ok(count, `${file} is not in counts.json`);
  if (count.unit === 'entries') {
    const folded = entriesThatFold[file];
    assert.equal(events.length, folded?.events, folded?.why ?? `${file} counts entries: say how many events they are`);
    return;
  }
  assert.equal(events.length, count.total);
  const by: Record<string, number> = {};
  for (const { spec } of events) {
    const word = spec.severity === 'unknown' ? 'unstated' : spec.severity;
    by[word] = (by[word] ?? 0) + 1;
  }
  const other = otherSeverities[file];
  assert.deepEqual(by, other?.by ?? count.by, other?.why ?? file);
}
