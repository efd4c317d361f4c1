/** `zen-watcher scan --config`: declared sources are known, the rules decide (T10, F7). The examples do what they say. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { suite, type TestContext, test } from 'node:test';
import type { ZenAgentEvent } from '../../src/api/event.ts';
import { eventSchema } from '../../src/api/schema.ts';
import { runExplain } from '../../src/cli/explain.ts';
import { filesOnDisk } from '../../src/cli/report-files.ts';
import { scan } from '../../src/cli/scan.ts';
import { ConfigError } from '../../src/config/load.ts';
import { Collector } from '../support/collector.ts';
import { repositoryRoot } from '../support/repository.ts';
import { schemaProblems } from '../support/schema-check.ts';

const examples = join(repositoryRoot, 'examples/declarative');
const trivy = join(repositoryRoot, 'test/fixtures/trivy-vulnerability-report/many.yaml');

function ioFor(environment: Readonly<Record<string, string>> = {}) {
  const stdout = new Collector();
  const stderr = new Collector();
  const clock = { now: () => new Date('2026-02-01T00:00:00Z'), monotonicMs: () => 0 };
  return {
    stdin: Readable.from([]),
    stdout,
    stderr,
    files: filesOnDisk,
    clock,
    useColor: false,
    environment,
    version: '0',
  };
}

async function eventsOf(path: string, config?: string) {
  const io = ioFor();
  const code = await scan({ paths: [path], output: 'json', config }, io);
  return { code, stderr: io.stderr.text, events: (JSON.parse(io.stdout.text) as { items: ZenAgentEvent[] }).items };
}

function configOf(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'zen-scan-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'config.yaml'), text);
  return join(folder, 'config.yaml');
}

suite('scan --config', () => {
  const wanted: Readonly<Record<string, readonly (readonly [string, string, string])[]>> = {
    'jobflow.yaml': [['medium', 'JobFlow/nightly-ledger', 'failed: settle']],
    'kube-score.json': [
      ['high', 'Deployment/storefront', 'container-security-context-readonlyrootfilesyst…'],
      ['medium', 'Deployment/storefront', 'deployment-has-host-podantiaffinity'],
    ],
    'argo-cd.yaml': [['high', 'Application/storefront', 'health Degraded']],
  };
  for (const [file, rows] of Object.entries(wanted)) {
    test(`the example for ${file} makes these events, and they fit the CRD`, async () => {
      const config = join(examples, file.replace('.json', '.yaml'));
      const { code, events, stderr } = await eventsOf(join(examples, 'reports', file), config);
      assert.deepEqual([code, stderr], [0, '']);
      assert.deepEqual(
        events.map(({ spec }) => [spec.severity, spec.subject, spec.summary]),
        rows,
      );
      for (const event of events) assert.deepEqual(schemaProblems(eventSchema, event), []);
    });
  }

  test('without a configuration the same is no report, and nothing is left out', async () => {
    assert.equal((await eventsOf(join(examples, 'reports/jobflow.yaml'))).code, 1);
    const all = (await eventsOf(trivy)).events;
    assert.ok(all.some(({ spec }) => spec.severity === 'low'));
  });

  test('the rules of the configuration decide, as in the daemon', async (t) => {
    const all = (await eventsOf(trivy)).events.map(({ spec }) => spec.severity);
    const byDefault = await eventsOf(trivy, configOf(t, '{}'));
    assert.ok(byDefault.events.length > 0 && byDefault.events.length < all.length);
    assert.ok(byDefault.events.every(({ spec }) => ['critical', 'high', 'unknown'].includes(spec.severity)));
    const rules = `
events: { namespace: findings, cluster: blue }
thresholds: { vulnerability: info }
mutes: [{ rule: CVE-2099-0101, reason: known }]
severityOverrides: [{ match: { rule: CVE-2099-0103 }, severity: critical }]
`;
    const { events } = await eventsOf(trivy, configOf(t, rules));
    const of = (rule: string) => events.filter(({ spec }) => spec.details?.['vulnerabilityID'] === rule);
    assert.deepEqual(of('CVE-2099-0101'), []);
    assert.deepEqual([...new Set(of('CVE-2099-0103').map(({ spec }) => spec.severity))], ['critical']);
    assert.deepEqual(
      [...new Set(events.map(({ metadata, spec }) => `${metadata.namespace}/${spec.cluster}`))],
      ['findings/blue'],
    );
    const io = ioFor();
    await scan({ paths: [trivy], output: 'table', config: configOf(t, '{}') }, io);
    assert.match(io.stderr.text, /left out: \d+ by the rules of the configuration/);
  });

  test('what is wrong with it is an error, and nothing is scanned', async (t) => {
    const config = configOf(t, 'preset: none');
    await assert.rejects(
      eventsOf(trivy, config),
      (error) => error instanceof ConfigError && /preset: one of/.test(error.message),
    );
  });

  test('explain knows declared sources as well', async () => {
    const io = ioFor();
    const config = join(examples, 'kube-score.yaml');
    const code = await runExplain({ what: join(examples, 'reports/kube-score.json'), output: 'json', config }, io);
    assert.equal(code, 0, io.stderr.text);
    const all = JSON.parse(io.stdout.text) as readonly { verdict: string; source: string; decidedBy: string }[];
    assert.deepEqual(
      all.map(({ verdict, source, decidedBy }) => [verdict, source, decidedBy]),
      Array(2).fill(['accepted', 'kube-score', 'preset all, static-analysis: medium']),
    );
  });
});

suite('docs/sources/declarative.md', () => {
  const page = readFileSync(join(repositoryRoot, 'docs/sources/declarative.md'), 'utf8');

  test('shows what the example prints', async () => {
    const io = ioFor();
    const config = join(examples, 'jobflow.yaml');
    await scan({ paths: [join(examples, 'reports/jobflow.yaml')], output: 'table', config }, io);
    assert.ok(page.includes(`${io.stdout.text}${io.stderr.text}`), io.stdout.text + io.stderr.text);
  });

  test('shows problems as they are told', async (t) => {
    const text = readFileSync(join(examples, 'jobflow.yaml'), 'utf8')
      .replace(/when: .*/, 'when: documnt.phase == "x"')
      .replace(/match: .*/, 'match: size(document.steps)');
    await assert.rejects(eventsOf(trivy, configOf(t, text)), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.equal(error.problems.length, 2);
      for (const problem of error.problems) assert.ok(page.includes(problem), problem);
      return true;
    });
  });
});
