/** `scan -o sarif`, `--fail-on`, `--baseline` and progress. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { suite, test } from 'node:test';
import { Ajv } from 'ajv';
import { parse, parseAllDocuments } from 'yaml';
import type { ZenAgentEvent } from '../../src/api/event.ts';
import { changeAnnotation } from '../../src/cli/baseline.ts';
import { Progress } from '../../src/cli/progress.ts';
import { filesOnDisk, type ReportFiles } from '../../src/cli/report-files.ts';
import { type ScanIo, type ScanOptions, scan } from '../../src/cli/scan.ts';
import { Collector } from '../support/collector.ts';
import { readAt } from '../support/reports.ts';
import { repositoryRoot } from '../support/repository.ts';

const fixtures = join(repositoryRoot, 'test/fixtures');
const one = readFileSync(join(fixtures, 'trivy-vulnerability-report/one.yaml'), 'utf8');

/** Reads these texts as files; `-` is not among them. */
function filesOf(texts: Readonly<Record<string, string>>): ReportFiles {
  return {
    async *find(path) {
      if (texts[path] === undefined) yield* filesOnDisk.find(path);
      else yield { path };
    },
    open: (path) => (texts[path] === undefined ? filesOnDisk.open(path) : Readable.from([Buffer.from(texts[path])])),
  };
}

async function run(
  options: Partial<ScanOptions>,
  texts: Readonly<Record<string, string>> = {},
  io: Partial<ScanIo> = {},
) {
  const stdout = new Collector();
  const stderr = new Collector();
  const code = await scan(
    { output: 'table', paths: Object.keys(texts).filter((name) => !name.startsWith('baseline')), ...options },
    {
      stdin: Readable.from([]),
      stdout,
      stderr,
      files: filesOf(texts),
      clock: { now: () => readAt, monotonicMs: () => 0 },
      useColor: false,
      ...io,
    },
  );
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/** A report about a workload with these vulnerabilities, each with its severity. */
function report(workload: string, vulnerabilities: Readonly<Record<string, string>>): string {
  const document = parse(one.replaceAll('shop', workload));
  const [first] = document.report.vulnerabilities;
  document.report.vulnerabilities = Object.entries(vulnerabilities).map(([vulnerabilityID, severity]) => ({
    ...first,
    vulnerabilityID,
    severity,
  }));
  return JSON.stringify(document);
}

suite('scan -o sarif', () => {
  const schemaPath = createRequire(import.meta.url).resolve('@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json');
  // Draft 4, of which nothing is used here that later drafts read otherwise.
  const { $schema: _draft, id: _id, ...schema } = JSON.parse(readFileSync(schemaPath, 'utf8'));
  const validate = new Ajv({ strict: false, unicodeRegExp: false, validateFormats: false, allErrors: true }).compile(
    schema,
  );

  function valid(text: string) {
    const log = JSON.parse(text);
    assert.ok(validate(JSON.parse(text)), JSON.stringify(validate.errors?.slice(0, 3)));
    return log.runs[0];
  }

  test('is valid for every fixture, and for nothing', async () => {
    const all = await run({ paths: [fixtures], output: 'sarif' });
    const json = await run({ paths: [fixtures], output: 'json' });
    const { results, tool, invocations } = valid(all.stdout);
    const events = JSON.parse(json.stdout).items as ZenAgentEvent[];
    assert.equal(results.length, events.length);
    assert.ok(events.length > 100);
    assert.equal(invocations[0].executionSuccessful, false);
    const { rules } = tool.driver;
    assert.equal(new Set(rules.map(({ id }: { id: string }) => id)).size, rules.length);
    for (const [at, { ruleId, ruleIndex, level, partialFingerprints, locations }] of results.entries()) {
      assert.equal(rules[ruleIndex].id, ruleId);
      assert.equal(partialFingerprints['zenFingerprint/v1'], events[at]?.spec.fingerprint);
      const severity = events[at]?.spec.severity ?? '';
      const expected = /critical|high/.test(severity) ? 'error' : /medium|unknown/.test(severity) ? 'warning' : 'note';
      assert.equal(level, expected);
      const { uri } = locations[0].physicalLocation.artifactLocation;
      assert.equal(new URL(uri, 'file:///').pathname, `/${uri}`);
    }
    const none = await run({ paths: [join(fixtures, 'policy-report/none.yaml')], output: 'sarif' });
    assert.deepEqual(valid(none.stdout).results, []);
    assert.equal(valid(none.stdout).invocations[0].executionSuccessful, true);
  });

  test('a log that is no SARIF is refused by the schema', () => {
    assert.ok(!validate({ version: '2.1.0', runs: [{ results: [] }] }));
    assert.ok(
      !validate({ version: '2.1.0', runs: [{ tool: { driver: { name: 'x' } }, results: [{ level: 'high' }] }] }),
    );
  });

  test('names rule, subject, level and score as code scanning wants them', async () => {
    const { stdout } = await run({ output: 'sarif' }, { 'a.yaml': one });
    const { results, tool } = valid(stdout);
    const [result] = results;
    assert.equal(result.ruleId, 'trivy/CVE-2099-0001');
    assert.equal(result.level, 'error');
    assert.equal(result.locations[0].logicalLocations[0].fullyQualifiedName, 'store/Deployment/shop');
    assert.equal(result.locations[0].physicalLocation.artifactLocation.uri, 'kubernetes/store/Deployment/shop');
    const score = Number(tool.driver.rules[0].properties['security-severity']);
    assert.ok(score >= 9, 'a critical finding is critical there as well');
  });

  test('a hostile path stays a relative address without steps upward', async () => {
    const text = readFileSync(join(fixtures, 'sarif/one.json'), 'utf8');
    const log = JSON.parse(text.replace(/^\uFEFF/, ''));
    log.runs[0].results[0].locations = [
      { physicalLocation: { artifactLocation: { uri: 'file:///../../etc/%zz/a b#?.ts' }, region: { startLine: 7 } } },
    ];
    const { results } = valid((await run({ output: 'sarif' }, { 'a.json': JSON.stringify(log) })).stdout);
    const { artifactLocation, region } = results[0].locations[0].physicalLocation;
    assert.equal(artifactLocation.uri, 'etc/%25zz/a%20b%23%3F.ts');
    assert.deepEqual(region, { startLine: 7 });
  });
});

suite('scan --fail-on', () => {
  const texts = { 'a.json': report('shop', { 'CVE-2099-1': 'HIGH', 'CVE-2099-2': 'LOW' }) };

  test('ends with 3 from that severity on', async () => {
    assert.equal((await run({}, texts)).code, 0);
    assert.equal((await run({ failOn: 'critical' }, texts)).code, 0);
    const failed = await run({ failOn: 'high' }, texts);
    assert.equal(failed.code, 3);
    assert.match(failed.stderr, /^--fail-on high: 1 finding$/m);
    assert.match((await run({ failOn: 'info' }, texts)).stderr, /^--fail-on info: 2 findings$/m);
  });

  test('takes an unknown severity for one that may be', async () => {
    const unknown = { 'a.json': report('shop', { 'CVE-2099-1': 'UNKNOWN' }) };
    assert.equal((await run({ failOn: 'critical' }, unknown)).code, 3);
  });

  test('is told apart from what could not be read', async () => {
    assert.equal((await run({ failOn: 'critical' }, { ...texts, 'b.json': '{' })).code, 1);
    assert.equal((await run({ failOn: 'high' }, { ...texts, 'b.json': '{' })).code, 3);
  });
});

suite('scan --baseline', () => {
  const before = {
    'a.json': report('shop', { 'CVE-2099-1': 'HIGH', 'CVE-2099-2': 'LOW' }),
    'b.json': report('cart', { 'CVE-2099-3': 'HIGH' }),
  };
  const now = { 'a.json': report('shop', { 'CVE-2099-2': 'HIGH', 'CVE-2099-4': 'MEDIUM' }) };
  const changesIn = (events: readonly ZenAgentEvent[]) =>
    Object.fromEntries(
      events.map(({ metadata, spec, status }) => [
        String(spec.details?.['vulnerabilityID']),
        [metadata.annotations?.[changeAnnotation], status?.phase].join(' '),
      ]),
    );
  const expected = {
    'CVE-2099-2': 'unchanged Active',
    'CVE-2099-4': 'new Active',
    'CVE-2099-1': 'fixed Resolved',
    'CVE-2099-3': 'not-reported Active',
  };

  for (const output of ['json', 'yaml', 'ndjson'] as const) {
    test(`says what is new, fixed, unchanged and not reported on, against ${output}`, async () => {
      const baseline = (await run({ output }, before)).stdout;
      const compared = await run(
        { output: 'json', baseline: `baseline.${output}` },
        { ...now, [`baseline.${output}`]: baseline },
      );
      assert.deepEqual(changesIn(JSON.parse(compared.stdout).items), expected);
    });
  }

  test('its output is the next baseline', async () => {
    const first = (await run({ output: 'json' }, before)).stdout;
    const second = (await run({ output: 'json', baseline: 'baseline.json' }, { ...now, 'baseline.json': first }))
      .stdout;
    const third = await run({ output: 'json', baseline: 'baseline.json' }, { ...now, 'baseline.json': second });
    assert.deepEqual(changesIn(JSON.parse(third.stdout).items), {
      'CVE-2099-2': 'unchanged Active',
      'CVE-2099-4': 'unchanged Active',
      'CVE-2099-3': 'not-reported Active',
    });
  });

  test('--fail-on looks at what is new or worse only', async () => {
    const baseline = (await run({ output: 'json' }, before)).stdout;
    const code = async (failOn: 'high' | 'critical' | 'medium', reports: Readonly<Record<string, string>>) =>
      (await run({ failOn, baseline: 'baseline.json' }, { ...reports, 'baseline.json': baseline })).code;
    assert.equal(await code('critical', now), 0);
    assert.equal(await code('high', now), 3, 'CVE-2099-2 is worse than it was');
    assert.equal(await code('medium', before), 0, 'everything is as it was');
  });

  test('shows in the table, the closing words and SARIF', async () => {
    const texts = { ...now, 'baseline.json': (await run({ output: 'json' }, before)).stdout };
    const table = await run({ baseline: 'baseline.json' }, texts);
    assert.match(table.stdout, /^NAME .* SUMMARY +BASELINE$/m);
    assert.match(table.stdout, /CVE-2099-1 .*fixed$/m);
    assert.match(table.stderr, /^against the baseline: 1 new, 1 unchanged, 1 fixed, 1 not-reported$/m);
    const sarif = JSON.parse((await run({ baseline: 'baseline.json', output: 'sarif' }, texts)).stdout);
    const states = sarif.runs[0].results.map(({ baselineState }: { baselineState: string }) => baselineState);
    assert.deepEqual(states.toSorted(), ['absent', 'new', 'unchanged', 'unchanged']);
  });

  test('is refused whole when it cannot be read or is none', async () => {
    const against = (text: string | undefined) =>
      run({ baseline: 'baseline.json' }, { ...now, ...(text === undefined ? {} : { 'baseline.json': text }) });
    await assert.rejects(against(undefined), {
      code: 'CONFIG_ERROR',
      message: /baseline\.json cannot be read: no such file/,
    });
    await assert.rejects(against('{'), /is not valid JSON/);
    await assert.rejects(against('{"apiVersion":"v1","kind":"Pod"}'), /holds something that is no ZenAgentEvent/);
    await assert.rejects(against('[1]'), /\[0\]/);
  });

  test('with hostile words tells the terminal nothing', async () => {
    const esc = String.fromCharCode(27);
    const event = parseAllDocuments((await run({ output: 'ndjson' }, before)).stdout)[0]?.toJS();
    event.metadata.name = 'trivy-aaaaaaaaaaaaaaaaaaaaaaaaaa';
    event.spec.summary = `${esc}[2J\u202e`;
    event.spec.resource = { kind: `${esc}]0;x`, name: 'y', namespace: `${esc}c` };
    event.spec.subject = `${esc}[31m`;
    const { stdout } = await run(
      { baseline: 'baseline.json', output: 'wide' },
      { ...now, 'baseline.json': JSON.stringify(event) },
    );
    assert.match(stdout, /trivy-aaaaaaaaaaaaaaaaaaaaaaaaaa/);
    assert.ok(!stdout.includes(esc) && !stdout.includes('\u202e'));
  });
});

suite('progress', () => {
  test('is shown on a terminal once work is long, and wiped', async () => {
    let nowMs = 0;
    const out = new Collector();
    const progress = new Progress({ out, monotonicMs: () => nowMs });
    for (nowMs = 0; nowMs <= 1_000; nowMs += 10) progress.show(() => `at ${nowMs}`);
    progress.clear();
    progress.clear();
    const lines = out.text.split('\r\u001b[K');
    assert.deepEqual(lines, ['', 'at 700', 'at 850', 'at 1000', '']);
  });

  test('is silent elsewhere', () => {
    let nowMs = 0;
    const progress = new Progress({ out: undefined, monotonicMs: () => (nowMs += 1_000) });
    progress.show(() => assert.fail('nobody reads it'));
    progress.clear();
  });
});
