/** The program as people run it: commands, help, exit codes, completions. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { Command } from 'commander';
import { parse } from 'yaml';
import { completionScript, shells } from '../../src/cli/completion.ts';
import { addConfigCommand } from '../../src/cli/config.ts';
import { exitCodes } from '../../src/cli/exit-codes.ts';
import { addScanCommand, type ScanIo } from '../../src/cli/scan.ts';
import { runSources } from '../../src/cli/sources.ts';
import { configSchema } from '../../src/config/schema.ts';
import { sources } from '../../src/sources/registry.ts';
import { Collector } from '../support/collector.ts';
import { repositoryRoot } from '../support/repository.ts';

const main = join(repositoryRoot, 'cmd/zen-watcher/main.ts');
const fixtures = join(repositoryRoot, 'test/fixtures');

function zenWatcher(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    env: environment,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

suite('the command line', () => {
  let folder: string;
  const file = (name: string) => join(folder, name);

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'zen-cli-'));
    writeFileSync(file('good.yaml'), 'log: { level: warn }\n');
    writeFileSync(file('bad.yaml'), 'log: { level: loud }\nqueue: { items: 0 }\n');
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('names every command in its help and in docs/cli.md', () => {
    const { status, stdout } = zenWatcher(['--help']);
    assert.equal(status, 0);
    const commands = [...stdout.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name).filter((name) => name !== 'help');
    assert.ok(commands.length >= 7, stdout);
    const doc = readFileSync(join(repositoryRoot, 'docs/cli.md'), 'utf8');
    for (const command of commands) assert.match(doc, new RegExp(`^## ${command}$`, 'm'));
  });

  test('ends with the codes of docs/cli.md', () => {
    const one = join(fixtures, 'policy-report/one.yaml');
    const cases: readonly (readonly [number, readonly string[]])[] = [
      [exitCodes.problems, ['scan', 'no-such-file']],
      [exitCodes.findings, ['scan', one, '--fail-on', 'medium']],
      [exitCodes.usage, ['scan', one, '--baseline', 'no-such-file']],
      [exitCodes.usage, ['no-such-command']],
    ];
    for (const [code, args] of cases) {
      const { status, stderr } = zenWatcher(args);
      assert.equal(status, code, `${args.join(' ')}: ${stderr}`);
    }
    const doc = readFileSync(join(repositoryRoot, 'docs/cli.md'), 'utf8');
    for (const code of Object.values(exitCodes)) assert.match(doc, new RegExp(`^\\| ${code} \\|`, 'm'));
  });

  test('config validate says all at once, and warns of what is ignored', () => {
    const bad = zenWatcher(['config', 'validate', '--config', file('bad.yaml')]);
    assert.equal(bad.status, exitCodes.usage);
    assert.match(bad.stderr, /2 problem\(s\):\n {2}- queue\.items: at least 1\n {2}- log\.level: one of error/);
    assert.equal(bad.stdout, '');
    const good = zenWatcher(['config', 'validate', '--config', file('good.yaml')], { DEDUP_WINDOW: '60' });
    assert.deepEqual([good.status, good.stdout], [0, '']);
    assert.match(good.stderr, /^warning: DEDUP_WINDOW is ignored: .*\n.*good\.yaml: valid\n$/);
  });

  test('config print prints what run would take', async () => {
    const stdout = new Collector();
    const program = new Command('zen-watcher');
    addConfigCommand(program, { stdout, stderr: new Collector(), environment: { CLUSTER_ID: 'blue' } });
    await program.parseAsync(['config', 'print', '--config', file('good.yaml')], { from: 'user' });
    const printed = parse(stdout.text);
    assert.deepEqual(printed, configSchema.parse({ log: { level: 'warn' }, events: { cluster: 'blue' } }));
    assert.deepEqual(configSchema.parse(printed), printed);
  });

  test('sources lists all of them, with what a configuration changes', async () => {
    writeFileSync(file('sources.yaml'), 'sources: { trivy: { enabled: false, severities: { odd: low } } }\n');
    const list = async (output: 'table' | 'json') => {
      const stdout = new Collector();
      await runSources({ output, config: file('sources.yaml') }, { stdout, environment: {} });
      return stdout.text;
    };
    const listed = JSON.parse(await list('json'));
    assert.deepEqual(
      listed.map(({ name }: { name: string }) => name),
      sources.map(({ name }) => name),
    );
    const [trivy] = listed;
    assert.equal(trivy.isOn, false);
    assert.equal(trivy.severities.odd, 'low');
    assert.ok(trivy.resources.includes('vulnerabilityreports.aquasecurity.github.io'));
    const table = (await list('table')).split('\n');
    assert.match(table[0] ?? '', /^NAME +ON +TOOL +WATCHES +FINDS$/);
    assert.match(table[1] ?? '', /^trivy +no +Trivy Operator /);
    assert.equal(table.length, sources.length + 2);
  });

  const hasScript = spawnSync('which', ['script']).status === 0;
  test('colours severities on a terminal, unless NO_COLOR is set', { skip: hasScript ? false : 'no script(1)' }, () => {
    const onTerminal = (environment: Readonly<Record<string, string>>) => {
      const command = [process.execPath, main, 'scan', join(fixtures, 'policy-report/one.yaml')].join(' ');
      return spawnSync('script', ['-qec', command, '/dev/null'], { env: environment, encoding: 'utf8' }).stdout;
    };
    const color = `${String.fromCharCode(27)}[33mmedium`;
    assert.ok(onTerminal({}).includes(color));
    assert.ok(!onTerminal({ NO_COLOR: '1' }).includes(color));
  });
});

suite('completions', () => {
  const program = new Command('zen-watcher').description('x').version('1');
  const io = { stdout: new Collector(), stderr: new Collector() };
  addScanCommand(program, { ...io, exitWith: () => {} } as unknown as ScanIo & { exitWith(code: number): void });
  addConfigCommand(program, { ...io, environment: {} });

  test('of bash complete commands, options and their words', () => {
    const complete = (...words: readonly string[]) => {
      const line = words.map((word) => `'${word}'`).join(' ');
      const script = `${completionScript(program, 'bash')}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _zen_watcher; echo "\${COMPREPLY[@]}"`;
      return spawnSync('bash', ['-c', script], { encoding: 'utf8' }).stdout.trim().split(' ');
    };
    assert.deepEqual(complete('zen-watcher', 's'), ['scan']);
    assert.deepEqual(complete('zen-watcher', 'config', 'v'), ['validate']);
    assert.deepEqual(complete('zen-watcher', 'scan', '-o', 's'), ['sarif']);
    assert.deepEqual(complete('zen-watcher', 'scan', 'x', '--fail-on', 'c'), ['critical']);
    assert.deepEqual(complete('zen-watcher', 'config', 'print', '--c'), ['--config']);
    assert.deepEqual(complete('zen-watcher', 'scan', '--baseline', ''), ['']);
  });

  for (const shell of shells) {
    const isThere = spawnSync('which', [shell]).status === 0;
    test(`of ${shell} are no error to it`, { skip: isThere ? false : `there is no ${shell}` }, (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'zen-completion-'));
      t.after(() => rmSync(folder, { recursive: true }));
      const script = join(folder, 'script');
      writeFileSync(script, completionScript(program, shell));
      const { status, stderr } = spawnSync(shell, ['-n', script], { encoding: 'utf8' });
      assert.deepEqual([status, stderr], [0, '']);
    });
  }
});
