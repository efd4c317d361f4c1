/** `zen-watcher explain` over report files. Events in a cluster: test/integration/daemon-rules.test.ts. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { suite, type TestContext, test } from 'node:test';
import { Command } from 'commander';
import { addExplainCommand, type ExplainOptions, runExplain } from '../../src/cli/explain.ts';
import type { Explained } from '../../src/cli/explained.ts';
import { filesOnDisk } from '../../src/cli/report-files.ts';
import { ConfigError } from '../../src/config/load.ts';
import { readAt } from '../support/reports.ts';
import { repositoryRoot } from '../support/repository.ts';

const many = join(repositoryRoot, 'test/fixtures/trivy-vulnerability-report/many.yaml');
const one = join(repositoryRoot, 'test/fixtures/trivy-vulnerability-report/one.yaml');

class Collector extends Writable {
  text = '';
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

async function run(
  t: TestContext,
  what: string,
  options: Partial<ExplainOptions> & { readonly rules?: string; readonly stdin?: string } = {},
) {
  const { rules, stdin = '', ...rest } = options;
  const folder = mkdtempSync(join(tmpdir(), 'zen-explain-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const config = join(folder, 'config.yaml');
  if (rules !== undefined) writeFileSync(config, rules);
  const stdout = new Collector();
  const stderr = new Collector();
  const code = await runExplain(
    { what, output: 'table', ...(rules === undefined ? {} : { config }), ...rest },
    {
      stdin: Readable.from([Buffer.from(stdin)]),
      stdout,
      stderr,
      files: filesOnDisk,
      clock: { now: () => readAt, monotonicMs: () => 0 },
      environment: {},
      version: '0.0.0-test',
    },
  );
  return { code, stdout: stdout.text, stderr: stderr.text };
}

const listOf = ({ stdout }: { readonly stdout: string }): Explained[] => JSON.parse(stdout);

suite('explain: a report', () => {
  test('says of every finding what becomes of it and by which rule; what cannot be read is said and gives 1', async (t) => {
    const { code, stdout, stderr } = await run(t, many);
    const lines = stdout.trimEnd().split('\n');
    assert.match(lines[0] ?? '', /^VERDICT +SEVERITY +SOURCE +NAMESPACE +SUBJECT +RULE +DECIDED BY$/);
    assert.equal(lines.length, 15);
    assert.match(stdout, /^accepted +high .*StatefulSet\/ledger +CVE-2099-0101 +preset all, vulnerability: high$/m);
    assert.match(stdout, /^filtered +medium .*CVE-2099-0103 +preset all, vulnerability: high$/m);
    assert.match(stderr, /vulnerabilityID: expected an id, found nothing/);
    assert.match(stderr, /14 findings in 5 reports: 7 accepted, 7 filtered$/m);
    assert.equal(code, 1);
  });

  test('by the configuration: mutes, filters, overrides, with the severity before and after', async (t) => {
    const rules = `
thresholds: { vulnerability: info }
filters: [{ action: exclude, resource: "CronJob/*" }]
mutes: [{ rule: CVE-2099-0101, reason: vendor fix pending, until: 2999-01-01 }]
severityOverrides: [{ match: { rule: CVE-2099-0103 }, severity: critical }]
`;
    const all = listOf(await run(t, many, { rules, output: 'json' }));
    const of = (rule: string) => all.find((each) => each.rule === rule);
    assert.equal(all.length, 14);
    assert.equal(of('CVE-2099-0109')?.decidedBy, 'filters[0] (exclude resource CronJob/*)');
    assert.deepEqual(
      [of('CVE-2099-0101')?.verdict, of('CVE-2099-0101')?.decidedBy],
      ['muted', 'mutes[0] (rule CVE-2099-0101, until 2999-01-01: vendor fix pending)'],
    );
    const raised = of('CVE-2099-0103');
    assert.deepEqual([raised?.severityBefore, raised?.severity, raised?.verdict], ['medium', 'critical', 'accepted']);
    assert.equal(raised?.overriddenBy, 'severityOverrides[0] (rule CVE-2099-0103: critical)');
    const table = await run(t, many, { rules });
    assert.match(table.stdout, /critical \(was medium\).*; severity by severityOverrides\[0\]/);
  });

  test('from stdin; the names are those of the events that scan makes', async (t) => {
    const fromStdin = listOf(await run(t, '-', { stdin: readFileSync(one, 'utf8'), output: 'json' }));
    const expected = JSON.parse(readFileSync(one.replace('.yaml', '.expected.json'), 'utf8'));
    assert.ok(fromStdin.length > 0);
    for (const { event } of fromStdin) assert.ok(JSON.stringify(expected).includes(event), event);
  });

  test('text of a report does not reach the terminal as it is', async (t) => {
    const stdin = readFileSync(one, 'utf8').replace(/vulnerabilityID: \S+/, 'vulnerabilityID: "CVE\\e[31m-1"');
    const { stdout } = await run(t, '-', { stdin });
    assert.ok(stdout.includes('CVE[31m-1'), stdout);
    assert.ok(!stdout.includes('\u001b'));
  });

  test('without a cluster it says that labels of namespaces fit nothing', async (t) => {
    const rules = 'filters: [{ action: exclude, namespaceLabels: { team: blue } }]';
    assert.match((await run(t, one, { rules })).stderr, /without a cluster no namespaceLabels fit/);
  });
});

suite('explain: wrong use', () => {
  test('a file that is not there, or is no report, gives 1', async (t) => {
    const missing = await run(t, '/nowhere/report.yaml');
    assert.deepEqual([missing.code, missing.stdout], [1, '']);
    assert.match(missing.stderr, /no such file/);
    const other = await run(t, '-', { stdin: '{"kind":"ConfigMap","apiVersion":"v1"}' });
    assert.equal(other.code, 1);
    assert.match(other.stderr, /is no report that zen-watcher knows/);
  });

  test('a configuration that is not valid is refused with all its problems', async (t) => {
    await assert.rejects(run(t, one, { rules: 'preset: none\nthresholds: { default: unknown }' }), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.equal(error.problems.length, 2);
      return true;
    });
  });

  test('the name of an event needs a kubeconfig, and says so', async (t) => {
    const name = 'trivy-hdv2tc3ocu7fj4uyhrxevakltt';
    await assert.rejects(run(t, name), /there is no kubeconfig/);
  });

  test('its help names the arguments, the options and the exit code', () => {
    const program = new Command('zen-watcher');
    addExplainCommand(program, { exitWith: () => {} } as unknown as Parameters<typeof addExplainCommand>[1]);
    const written: string[] = [];
    program.commands[0]?.configureOutput({ writeOut: (text) => void written.push(text) }).outputHelp();
    const help = written.join('');
    for (const word of [
      'explain [options] <what>',
      '--config',
      '--output',
      '--namespace',
      '--kubeconfig',
      'Exit code 1',
    ]) {
      assert.ok(help.includes(word), word);
    }
  });
});
