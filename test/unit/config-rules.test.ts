/** The configuration of the rules: what is refused, and with which words; the environment; what a change needs. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { keysThatNeedRestart } from '../../src/config/changes.ts';
import { environmentWarnings } from '../../src/config/environment.ts';
import { ConfigError, loadConfig } from '../../src/config/load.ts';
import { type Config, configSchema } from '../../src/config/schema.ts';
import { watchConfig } from '../../src/config/watch.ts';
import { sources } from '../../src/sources/registry.ts';
import { until } from '../support/until.ts';

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'zen-config-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** What is wrong with a configuration. */
async function problemsOf(t: TestContext, text: string): Promise<readonly string[]> {
  const config = join(folderFor(t), 'config.yaml');
  writeFileSync(config, text);
  try {
    await loadConfig({ config }, {}, sources);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

suite('configuration of the rules', () => {
  test('all problems are told together, each with its place and what would be right', async (t) => {
    const problems = await problemsOf(
      t,
      `
preset: none
thresholds: { vulnerability: unknown, vulnerabilty: high, sources: { Trivy: high } }
filters:
  - { action: drop }
  - { action: exclude, namespace: [], severity: fatal, labels: { a: b } }
  - { action: exclude, namespaceLabels: {} }
mutes:
  - { rule: CVE-2026-1 }
  - { rule: CVE-2026-1, reason: "", until: 2026-02-30 }
  - { reason: everything }
severityOverrides:
  - { match: {}, severity: high }
  - { match: { rule: x }, severity: urgent }
sources: { trivy: { severities: { HIGH: urgent } } }
`,
    );
    const wanted = [
      ['preset', 'one of all, conservative, security-only, compliance-only'],
      ['thresholds.vulnerability', 'unknown passes every threshold'],
      ['thresholds', 'there is no key vulnerabilty'],
      ['thresholds.sources.Trivy', 'a source as in spec.source'],
      ['filters[0].action', 'exclude or include'],
      ['filters[1].namespace', 'at least 1'],
      ['filters[1].severity', 'one of critical, high, medium, low, info, unknown'],
      ['filters[1]', 'there is no key labels'],
      ['filters[2].namespaceLabels', 'must have 1 to 16 entries'],
      ['mutes[0].reason', 'required: why these findings are muted'],
      ['mutes[1].reason', 'required'],
      ['mutes[1].until', 'an RFC 3339 time'],
      ['mutes[2]', 'give at least one field'],
      ['severityOverrides[0].match', 'give at least one field'],
      ['severityOverrides[1].severity', 'one of critical'],
      ['sources.trivy.severities.HIGH', 'one of critical'],
    ];
    for (const [place, words] of wanted) {
      const found = problems.filter((problem) => problem.startsWith(`${place}`) && problem.includes(words ?? ''));
      assert.ok(found.length > 0, `${place}: ${words}\n${problems.join('\n')}`);
    }
  });

  test('sizes are bounded', async (t) => {
    const many = (count: number, text: string) => Array.from({ length: count }, () => text).join(', ');
    assert.deepEqual(await problemsOf(t, `filters: [${many(256, '{ action: exclude }')}]`), []);
    assert.equal((await problemsOf(t, `filters: [${many(257, '{ action: exclude }')}]`)).length, 1);
    assert.equal((await problemsOf(t, `mutes: [${many(1001, '{ rule: a, reason: b }')}]`)).length, 1);
    assert.equal((await problemsOf(t, `mutes: [{ rule: [${many(1001, 'a')}], reason: b }]`)).length, 1);
    assert.equal((await problemsOf(t, `mutes: [{ rule: ${'a'.repeat(257)}, reason: b }]`)).length, 1);
    assert.equal((await problemsOf(t, `# ${'a'.repeat(1024 * 1024)}`)).length, 1);
    const laughs = `a: &a [${many(20, 'x')}]\nb: &b [${many(20, '*a')}]\nc: [${many(20, '*b')}]`;
    assert.match((await problemsOf(t, laughs)).join(), /alias/);
  });

  test('one value stands for a list of it', () => {
    const { filters } = configSchema.parse({ filters: [{ action: 'exclude', namespace: 'a', severity: 'low' }] });
    assert.deepEqual(filters, [{ action: 'exclude', namespace: ['a'], severity: ['low'] }]);
  });
});

test('what is wrong elsewhere in the configuration is told in words as well', async (t) => {
  assert.deepEqual(
    await problemsOf(
      t,
      'writes: { perSecond: fast, inFlight: 65 }\nqueue: { items: 0 }\nlog: { level: loud }\nsauces: {}',
    ),
    [
      'writes.perSecond: must be a number',
      'writes.inFlight: at most 64',
      'queue.items: at least 1',
      'log.level: one of error, warn, info, debug',
      '(top): there is no key sauces; did you mean sources?',
    ],
  );
});

suite('BEHAVIOR_MODE', () => {
  const presetIn = async (BEHAVIOR_MODE: string) => (await loadConfig({}, { BEHAVIOR_MODE }, sources)).preset;

  test('is the preset, whatever the file says; its words may be upper case', async (t) => {
    assert.equal(await presetIn('conservative'), 'conservative');
    assert.equal(await presetIn('Security-Only'), 'security-only');
    const config = join(folderFor(t), 'config.yaml');
    writeFileSync(config, 'preset: all');
    assert.equal(
      (await loadConfig({ config }, { BEHAVIOR_MODE: 'compliance-only' }, sources)).preset,
      'compliance-only',
    );
  });

  test('a word that is none is ignored and warned about; nothing said is no warning', async () => {
    assert.equal(await presetIn('custom'), 'all');
    assert.match(environmentWarnings({ BEHAVIOR_MODE: 'custom' }).join(), /"custom" is not known/);
    assert.deepEqual(
      [...environmentWarnings({ BEHAVIOR_MODE: '' }), ...environmentWarnings({ BEHAVIOR_MODE: 'all' })],
      [],
    );
  });
});

suite('a changed configuration', () => {
  const started = configSchema.parse({});

  test('needs a restart for everything but the rules and the log level', () => {
    const rules = {
      preset: 'conservative',
      thresholds: { default: 'info' },
      filters: [{ action: 'exclude' }],
      mutes: [{ rule: 'a', reason: 'b' }],
      severityOverrides: [{ match: { rule: 'a' }, severity: 'low' }],
      sources: { trivy: { severities: { HIGH: 'low' } } },
    };
    const keys = keysThatNeedRestart(started, configSchema.parse(rules));
    // That trivy is named is a difference only where that switches it.
    assert.deepEqual(keys, ['sources.trivy']);
    const others = { writes: { perSecond: 7 }, log: { level: 'debug' }, sources: { trivy: { enabled: false } } };
    assert.deepEqual(keysThatNeedRestart(started, configSchema.parse(others)), ['sources.trivy', 'writes.perSecond']);
    assert.deepEqual(keysThatNeedRestart(started, started), []);
  });
});

suite('the watch of the configuration file', () => {
  /** Watches, and collects what is told. */
  function watching(t: TestContext, config: string) {
    const told: string[] = [];
    const stop = watchConfig(
      { flags: { config }, environment: {}, registry: sources, everyMs: 5 },
      {
        changed: ({ preset }: Config) => told.push(preset),
        invalid: (problems) => told.push(problems.join()),
      },
    );
    t.after(stop);
    return { told, stop };
  }

  test('tells what it says at first, and each change once: valid, invalid, gone and back', async (t) => {
    const file = join(folderFor(t), 'config.yaml');
    writeFileSync(file, 'preset: all');
    const { told } = watching(t, file);
    const next = (count: number) => until(`${count} changes`, () => told.length >= count);
    await next(1);
    writeFileSync(file, 'preset: none');
    await next(2);
    rmSync(file);
    await next(3);
    writeFileSync(file, 'preset: conservative');
    await next(4);
    assert.equal(told[0], 'all');
    assert.match(told[1] ?? '', /^preset: one of/);
    assert.match(told[2] ?? '', /cannot be read/);
    assert.deepEqual(told.slice(3), ['conservative']);
  });

  test('sees a mounted ConfigMap change, by a symbolic link two folders up', async (t) => {
    const folder = folderFor(t);
    const version = (name: string, text: string) => {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'config.yaml'), text);
      symlinkSync(name, join(folder, '..data_tmp'));
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    };
    version('..1', 'preset: all');
    symlinkSync('..data/config.yaml', join(folder, 'config.yaml'));
    const { told } = watching(t, join(folder, 'config.yaml'));
    await until('the first look', () => told.length === 1);
    version('..2', 'preset: security-only');
    await until('the change', () => told.length === 2);
    assert.deepEqual(told, ['all', 'security-only']);
  });

  test('without a file there is nothing to watch', () => {
    const stop = watchConfig(
      { flags: {}, environment: {}, registry: sources },
      { changed: () => assert.fail(), invalid: () => assert.fail() },
    );
    stop();
  });
});
