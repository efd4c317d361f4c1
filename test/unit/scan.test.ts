/** `zen-watcher scan` over the project's fixtures and over input that it cannot read. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { suite, type TestContext, test } from 'node:test';
import { Command } from 'commander';
import { parse } from 'yaml';
import type { ZenAgentEvent } from '../../src/api/event.ts';
import { defaultLimits } from '../../src/cli/documents.ts';
import { EventFold } from '../../src/cli/event-fold.ts';
import { filesOnDisk } from '../../src/cli/report-files.ts';
import { addScanCommand, type ScanIo, type ScanOptions, scan } from '../../src/cli/scan.ts';
import type { Finding, Reading } from '../../src/sources/source.ts';
import { Collector } from '../support/collector.ts';
import { readAt } from '../support/reports.ts';
import { repositoryRoot } from '../support/repository.ts';

const fixtures = join(repositoryRoot, 'test/fixtures');
const trivyOne = join(fixtures, 'trivy-vulnerability-report/one.yaml');
const trivyMany = join(fixtures, 'trivy-vulnerability-report/many.yaml');
const policyOne = join(fixtures, 'policy-report/one.yaml');

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(
  options: Partial<ScanOptions> & { paths: readonly string[] },
  io: Partial<ScanIo> = {},
): Promise<Result> {
  const stdout = new Collector();
  const stderr = new Collector();
  const code = await scan(
    { output: 'table', ...options },
    {
      stdin: Readable.from([]),
      stdout,
      stderr,
      files: filesOnDisk,
      clock: { now: () => readAt, monotonicMs: () => 0 },
      useColor: false,
      ...io,
    },
  );
  return { code, stdout: stdout.text, stderr: stderr.text };
}

function stdin(text: string): Partial<ScanIo> {
  return { stdin: Readable.from([Buffer.from(text)]) };
}

/** A folder of these files, removed after the test. */
function folderOf(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'zen-scan-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

function itemsOf({ stdout }: Result): ZenAgentEvent[] {
  return JSON.parse(stdout).items;
}

suite('scan prints', () => {
  test('a table like that of kubectl, most severe first, and a closing count', async () => {
    const { code, stdout, stderr } = await run({ paths: [policyOne, trivyOne] });
    assert.equal(code, 0);
    assert.deepEqual(stdout.split('\n'), [
      'NAME                                 SEVERITY   SOURCE    SUBJECT           SUMMARY',
      'trivy-olfiwq4dcs7m4ef5qbxkpmdkco     critical   trivy     Deployment/shop   CVE-2099-0001 libexample3, fixable',
      'kyverno-5lvb3qtzdls7yma7ute2ahjs7u   medium     kyverno   Deployment/shop   require-run-as-nonroot',
      '',
    ]);
    assert.equal(stderr, '2 findings in 2 reports: 1 critical, 1 medium\n');
  });

  test('a wide table', async () => {
    const { stdout } = await run({ paths: [policyOne], output: 'wide' });
    const [head = '', row = ''] = stdout.split('\n');
    assert.match(head, /SUMMARY +TYPE +NAMESPACE +COUNT +TITLE$/);
    assert.match(
      row,
      /require-run-as-nonroot +policy-violation +store +1 +Policy require-run-as-nonroot, rule run-as-non-root/,
    );
  });

  test('no table for nothing', async () => {
    const { code, stdout, stderr } = await run({ paths: [join(fixtures, 'trivy-vulnerability-report/none.json')] });
    assert.deepEqual([code, stdout, stderr], [0, '', 'no findings in 1 report\n']);
  });

  test('colour for severities only, when told to', async () => {
    const { stdout } = await run({ paths: [trivyOne] }, { useColor: true });
    const [head = '', row = ''] = stdout.split('\n');
    const esc = String.fromCharCode(27);
    assert.ok(!head.includes(esc));
    assert.ok(row.includes(`${esc}[1;31mcritical${esc}[0m   trivy`));
    assert.equal(row.split(esc).length, 3);
  });

  test('JSON as a Kubernetes List of events with their status', async () => {
    const result = await run({ paths: [trivyMany], output: 'json' });
    const list = JSON.parse(result.stdout);
    assert.deepEqual([list.apiVersion, list.kind], ['v1', 'List']);
    const items = itemsOf(result);
    assert.equal(items.length, 13);
    for (const { apiVersion, kind, metadata, spec, status } of items) {
      assert.deepEqual([apiVersion, kind, metadata.namespace], ['zen.kube-zen.io/v1', 'ZenAgentEvent', 'zen-system']);
      assert.equal(metadata.name, `trivy-${spec.fingerprint?.slice(0, 26)}`);
      assert.equal(spec.detectedAt, readAt.toISOString());
      assert.deepEqual(status, { phase: 'Active', count: 1 });
    }
    const order = items.map(({ spec }) => spec.severity);
    assert.deepEqual(order.slice(0, 5), ['high', 'high', 'high', 'high', 'medium']);
    const empty = await run({ paths: [join(fixtures, 'policy-report/none.yaml')], output: 'json' });
    assert.deepEqual(JSON.parse(empty.stdout), { apiVersion: 'v1', kind: 'List', items: [] });
  });

  test('the same List as YAML, and one event a line', async () => {
    for (const paths of [[trivyMany, policyOne], [join(fixtures, 'policy-report/none.yaml')]]) {
      const json = await run({ paths, output: 'json' });
      const yaml = await run({ paths, output: 'yaml' });
      const lines = await run({ paths, output: 'ndjson' });
      assert.deepEqual(parse(yaml.stdout), JSON.parse(json.stdout));
      const parsed = lines.stdout.split('\n').filter((line) => line !== '');
      assert.deepEqual(
        parsed.map((line) => JSON.parse(line)),
        itemsOf(json),
      );
    }
  });

  test('YAML that YAML 1.1 reads alike', async () => {
    const report = { ...JSON.parse(JSON.stringify(parse(readFileSync(policyOne, 'utf8')))) };
    report.results = [{ policy: 'on', rule: '0o17', result: 'fail', source: 'kyverno', category: '2001-12-14' }];
    const { stdout } = await run({ paths: ['-'], output: 'yaml' }, stdin(JSON.stringify(report)));
    assert.match(stdout, /policy: "on"/);
    assert.deepEqual(parse(stdout, { version: '1.1' }).items[0].spec.details.category, '2001-12-14');
  });

  test('data on stdout only', async () => {
    const bad = join(fixtures, 'policy-report/malformed.yaml');
    const result = await run({ paths: [bad], output: 'json' });
    assert.equal(itemsOf(result).length, 2);
    assert.ok(!result.stderr.includes('finding'));
  });
});

suite('scan reads', () => {
  test('folders, all the way down, in the order of names, without hidden ones', async (t) => {
    const one = readFileSync(trivyOne, 'utf8');
    const folder = folderOf(t, {
      'b/deep/report.yml': one.replaceAll('shop-', 'deep-'),
      'a.yaml': one,
      'c.json': '{"a":',
      'b.ndjson': 'x',
      '.hidden/report.yaml': 'a: [',
      '..data/report.yaml': 'a: [',
      'notes.txt': 'a: [',
    });
    symlinkSync('a.yaml', join(folder, 'z-link.yaml'));
    symlinkSync('.', join(folder, 'circle'));
    symlinkSync('nowhere', join(folder, 'dangling.yaml'));
    const { code, stdout, stderr } = await run({ paths: [folder] });
    assert.equal(code, 1);
    assert.equal(stdout.split('\n').length, 4);
    assert.deepEqual(stderr.replaceAll(`${folder}/`, '').split('\n'), [
      'b.ndjson: line 1: is not valid JSON',
      'c.json: is not valid JSON (it ends too early)',
      '2 findings in 3 reports: 2 critical',
      '',
    ]);
  });

  test('stdin, as JSON with a byte order mark, lines and YAML', async () => {
    const yaml = readFileSync(policyOne, 'utf8');
    const json = JSON.stringify(parse(yaml));
    for (const text of [`\uFEFF${json}`, `${json}\n${json}\n`, yaml, `---\n${yaml}---\n# end\n`]) {
      const result = await run({ paths: ['-'], output: 'json' }, stdin(text));
      assert.deepEqual([result.code, itemsOf(result).length], [0, 1]);
    }
  });

  test('the same finding in two reports as one event, the newer one described', async () => {
    const one = readFileSync(trivyOne, 'utf8');
    const newer = one
      .replaceAll('shop-5b7c9d6f84', 'shop-7d9f8b6c54')
      .replace('3.0.11-1', '3.0.12-1')
      .replaceAll('2025-10-01', '2025-10-02');
    for (const text of [`${one}---\n${newer}`, `${newer}---\n${one}`]) {
      const result = await run({ paths: ['-'], output: 'json' }, stdin(text));
      const [event, ...more] = itemsOf(result);
      assert.deepEqual(more, []);
      assert.equal(event?.spec.details?.['installedVersion'], '3.0.12-1');
      assert.equal(event?.status?.count, 1);
    }
  });
});

suite('scan counts', () => {
  test('what happened several times, and shows since when and until when', async () => {
    const result = await run({ paths: [join(fixtures, 'kubearmor/many.ndjson')], output: 'json' });
    assert.equal(result.code, 0);
    const event = itemsOf(result).find(({ spec }) => spec.details?.['policy'] === 'no-deletes');
    assert.deepEqual(event?.status, {
      phase: 'Active',
      count: 2,
      firstSeen: '2025-10-01T08:00:00.123Z',
      lastSeen: '2025-10-01T09:00:00.000Z',
    });
    const wide = await run({ paths: [join(fixtures, 'neuvector-notification/many.ndjson')], output: 'wide' });
    assert.match(wide.stdout, /runtime-threat +store +5 +Network\.Violation to external:443/);
  });
});

suite('scan cannot read', () => {
  test('says where and why, one line each, and does the rest', async () => {
    const bad = join(fixtures, 'trivy-vulnerability-report/malformed.yaml');
    const { code, stdout, stderr } = await run({ paths: [bad, 'no-such-file', trivyOne] });
    assert.equal(code, 1);
    assert.equal(stdout.split('\n').length, 3);
    assert.deepEqual(stderr.replaceAll(bad, 'bad.yaml').split('\n'), [
      'bad.yaml: document 1 .report: expected an object, found nothing',
      'bad.yaml: document 2 .report: expected an object, found text',
      'bad.yaml: document 3 .report.vulnerabilities: expected a list, found nothing',
      'bad.yaml: document 4 .report.vulnerabilities: expected a list, found null',
      'bad.yaml: document 5 .report.vulnerabilities: expected a list, found an object',
      'bad.yaml: document 6 .metadata: neither labels nor an owner nor a name say what the report is about',
      'no-such-file: no such file or folder',
      '1 finding in 1 report: 1 critical',
      '',
    ]);
  });

  test('single entries of a report', async () => {
    const { code, stderr } = await run({ paths: [trivyMany] });
    assert.equal(code, 1);
    assert.match(
      stderr,
      /many\.yaml: \.items\[0\]\.report\.vulnerabilities\[10\]\.vulnerabilityID: expected an id, found nothing\n/,
    );
  });

  test('what is no report', async (t) => {
    const folder = folderOf(t, {
      'a.yaml': 'kind: Pod\napiVersion: v1\n',
      'b.json': '[1, {}]',
      'c.yaml': '',
      'd.json': 'null',
    });
    const { code, stderr } = await run({ paths: [folder] });
    assert.equal(code, 1);
    assert.deepEqual(stderr.replaceAll(`${folder}/`, '').split('\n'), [
      'a.yaml: is no report that zen-watcher knows (Pod of v1)',
      'b.json: [0]: expected a report, found no object',
      'b.json: [1]: is no report that zen-watcher knows',
      'c.yaml: is empty',
      'd.json: expected a report, found no object',
      'no findings in 0 reports',
      '',
    ]);
  });

  test('a folder without reports', async (t) => {
    const folder = folderOf(t, { 'notes.txt': '' });
    const { code, stderr } = await run({ paths: [folder] });
    assert.equal(code, 1);
    assert.match(stderr, /no \*\.json, \*\.yaml/);
  });

  test('too much', async () => {
    const limits = { ...defaultLimits, inputBytes: 2 ** 20 };
    const { code, stderr } = await run({ paths: ['-', trivyOne], limits }, stdin(' '.repeat(2 ** 20 + 1)));
    assert.equal(code, 1);
    assert.equal(stderr, 'stdin: is too large: more than 1 MiB\n1 finding in 1 report: 1 critical\n');
  });

  test('hostile names and words cannot reach the terminal, and a flood is cut', async () => {
    const esc = String.fromCharCode(27);
    const lines = Array.from({ length: 50 }, () => JSON.stringify({ kind: `${esc}[2J\u202e${'x'.repeat(999)}` }));
    const { stderr } = await run({ paths: ['-', `${esc}]0;title`] }, stdin(lines.join('\n')));
    assert.ok(!stderr.includes(esc) && !stderr.includes('\u202e'));
    const said = stderr.split('\n');
    assert.equal(said.length, 20 + 1 + 1 + 1 + 1);
    assert.equal(said[20], 'stdin: 30 more problems');
    assert.ok(said.every((line) => line.length < 300));
  });

  test('a stream that fails', async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('{');
      throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
    }
    const { code, stderr } = await run({ paths: ['-'] }, { stdin: failing() });
    assert.equal(code, 1);
    assert.match(stderr, /^stdin: EIO: i\/o error, read\n/);
  });
});

suite('scan ends', () => {
  test('silently when nobody reads any more', async () => {
    let writes = 0;
    const closed = new Writable({
      write(_chunk, _encoding, done) {
        writes += 1;
        done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
      },
    });
    const { code } = await run({ paths: [trivyMany, trivyOne], output: 'ndjson' }, { stdout: closed });
    assert.equal(code, 1);
    assert.equal(writes, 1);
    const both = await run({ paths: ['no-such-file', trivyOne] }, { stdout: closed, stderr: closed });
    assert.equal(both.code, 1);
  });

  test('with an error when the disk is full', async () => {
    const full = new Writable({
      write(_chunk, _encoding, done) {
        done(Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }));
      },
    });
    full.on('error', () => undefined);
    await assert.rejects(run({ paths: [trivyOne] }, { stdout: full }), /ENOSPC/);
  });

  test('leaving no listeners behind', async () => {
    const stdout = new Collector();
    await run({ paths: [trivyOne] }, { stdout });
    assert.equal(stdout.listenerCount('error'), 0);
  });
});

suite('scan on the command line', () => {
  async function command(...args: readonly string[]): Promise<{ code: number | undefined; stdout: string }> {
    const stdout = new Collector();
    let code: number | undefined;
    const program = new Command('zen-watcher').exitOverride().configureOutput({ writeErr: () => undefined });
    addScanCommand(program, {
      stdin: Readable.from([]),
      stdout,
      stderr: new Collector(),
      files: filesOnDisk,
      clock: { now: () => readAt, monotonicMs: () => 0 },
      useColor: false,
      exitWith: (given) => {
        code = given;
      },
    });
    for (const subcommand of program.commands) subcommand.exitOverride().configureOutput({ writeErr: () => undefined });
    await program.parseAsync(['scan', ...args], { from: 'user' });
    return { code, stdout: stdout.text };
  }

  test('takes paths and a format', async () => {
    const { code, stdout } = await command(trivyOne, policyOne, '-o', 'ndjson');
    assert.equal(code, 0);
    assert.equal(stdout.trim().split('\n').length, 2);
    assert.equal((await command('no-such-file')).code, 1);
  });

  test('refuses wrong usage', async () => {
    await assert.rejects(command(), { code: 'commander.missingArgument' });
    await assert.rejects(command(trivyOne, '-o', 'xml'), { code: 'commander.invalidArgument' });
  });
});

test('signals of one run add up; a replayed one does not', () => {
  const fold = new EventFold({ namespace: 'zen-system' });
  const signal = (second: number, ids?: readonly string[]): Reading => {
    const finding: Finding = {
      source: 'audit',
      eventType: 'exec',
      category: 'compliance',
      severity: 'high',
      rule: 'exec',
      resource: { kind: 'Pod', name: 'x', namespace: 'store' },
      nature: {
        kind: 'signal',
        occurrences: 2,
        at: new Date(Date.UTC(2025, 0, 1, 0, 0, second)),
        ...(ids === undefined ? {} : { occurrenceIds: ids }),
      },
      identity: () => ['x'],
      describe: () => ({ title: 't', summary: 's', details: {} }),
    };
    const origin = { apiVersion: 'audit.k8s.io/v1', kind: 'Event', name: '' };
    const base = { reportKey: ['audit'], partition: 'store', rejected: [], origin } as const;
    return { ...base, completeness: 'partial', findings: [finding] };
  };
  for (const reading of [signal(5), signal(1), signal(9, ['a', 'b']), signal(9, ['b', 'c'])])
    fold.add(reading, readAt, 'audit');
  assert.equal(fold.size, 1);
  assert.deepEqual(fold.sorted()[0]?.status, {
    phase: 'Active',
    count: 7,
    firstSeen: '2025-01-01T00:00:01.000Z',
    lastSeen: '2025-01-01T00:00:09.000Z',
  });
});
