/** What of declared sources is refused when the configuration is loaded: everything at once, with place and fix (I2, T10). */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { stringify } from 'yaml';
import { keysThatNeedRestart } from '../../src/config/changes.ts';
import { configuredSources } from '../../src/config/configured-sources.ts';
import { ConfigError, loadConfig } from '../../src/config/load.ts';
import { configSchema } from '../../src/config/schema.ts';
import { sources } from '../../src/sources/registry.ts';
import { repositoryRoot } from '../support/repository.ts';

type Tree = Record<string, unknown>;

const resource = { group: 'scanner.example', versions: ['v1'], resource: 'scans', kind: 'Scan' };
const finding = {
  eventType: 'misconfiguration',
  category: 'security',
  severity: 'item.level',
  rule: 'item.check',
  title: 'item.text',
};
const about = { kind: "'Deployment'", name: 'item.workload' };

function source(change: Tree = {}, findingChange: Tree = {}): Tree {
  return { name: 'example', title: 'Example', resource, finding: { ...finding, ...findingChange }, ...change };
}

async function problemsOf(t: TestContext, ...declarativeSources: unknown[]): Promise<readonly string[]> {
  return problemsIn(t, { declarativeSources });
}

async function problemsIn(t: TestContext, config: Tree): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'zen-declared-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'config.yaml');
  writeFileSync(path, stringify(config));
  try {
    await loadConfig({ config: path }, {}, sources);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

suite('declared sources in the configuration', () => {
  test('are taken when nothing is wrong', async (t) => {
    assert.deepEqual(await problemsOf(t, source()), []);
    const everything = source(
      {
        homepage: 'https://scanner.example',
        configMap: { selector: 'app=example', keys: ['out.json'] },
        webhook: true,
        recognise: 'has(document.scan)',
        when: 'has(document.status)',
        items: 'document.results',
        complete: '!has(document.truncated)',
        subject: 'document.metadata.name',
        crossNamespace: true,
        graceSeconds: 60,
        quietSeconds: 60,
        resource: { ...resource, namespaced: false, fieldSelector: 'metadata.name!=x' },
      },
      {
        match: 'item.failed',
        severities: { Bad: 'high' },
        identity: ['item.check', 'item.line'],
        resource: { ...about, apiVersion: "'apps/v1'", namespace: 'item.namespace' },
        summary: 'item.check',
        remediation: 'item.fix',
        score: 'item.score',
        references: 'item.links',
        details: { line: 'item.line', all_of: '[item.a, 1, "x"]' },
      },
    );
    assert.deepEqual(await problemsOf(t, everything), []);
  });

  const refused: [what: string, source: Tree, place: string, words: string][] = [
    ['a name', source({ name: 'Example' }), '.name', 'lower case, digits and -'],
    ['a name of the registry', source({ name: 'trivy' }), '.name', 'is taken: trivy writes events of the source trivy'],
    ['a word of the registry', source({ name: 'kyverno' }), '.name', 'is taken: policyreport writes events'],
    ['no title', source({ title: undefined }), '.title', 'required'],
    ['no road', source({ resource: undefined }), '', 'needs at least one of resource, configMap and webhook'],
    [
      'Secrets',
      source({ resource: { ...resource, group: '', resource: 'secrets', kind: 'Secret' } }),
      '.resource.resource',
      'Secrets are never read',
    ],
    [
      'all ConfigMaps',
      source({ resource: { ...resource, group: '', resource: 'configmaps', kind: 'ConfigMap' } }),
      '.resource.resource',
      'use configMap with a selector',
    ],
    [
      'our own events',
      source({ resource: { ...resource, group: 'zen.kube-zen.io' } }),
      '.resource.group',
      'no reports',
    ],
    [
      'a kind that is read',
      source({
        resource: {
          ...resource,
          group: 'aquasecurity.github.io',
          resource: 'vulnerabilityreports',
          kind: 'VulnerabilityReport',
        },
      }),
      '.resource',
      'is read by the source trivy already',
    ],
    [
      'a wildcard',
      source({ resource: { ...resource, resource: '*' } }),
      '.resource.resource',
      'lower case, digits and -',
    ],
    [
      'a subresource',
      source({ resource: { ...resource, resource: 'pods/log' } }),
      '.resource.resource',
      'lower case, digits and -',
    ],
    [
      'a version',
      source({ resource: { ...resource, versions: ['1.0'] } }),
      '.resource.versions[0]',
      'a version such as v1beta1',
    ],
    ['an unknown key', source({ resources: [] }), '', 'there is no key resources'],
    ['an unknown key of the finding', source({}, { sevrity: 'x' }), '.finding', 'there is no key sevrity'],
    [
      'ConfigMaps that are not recognised',
      source({ configMap: { selector: 'a=b' } }, { resource: about }),
      '.recognise',
      'required with configMap and webhook',
    ],
    ['recognise for objects', source({ recognise: 'true' }), '.recognise', 'objects are known by their kind'],
    [
      'nothing that it is about',
      source({ configMap: { selector: 'a=b' }, recognise: 'true' }),
      '.finding.resource',
      'what the finding is about',
    ],
    [
      'bodies about nothing',
      source({ webhook: true, recognise: 'true' }, { resource: about }),
      '.subject',
      'what a body reports on',
    ],
    ['a signal of an object that cannot be counted', source({}, { nature: 'signal' }), '.finding.id', 'id or count'],
    [
      'an object that counts several',
      source({ items: 'document.l' }, { nature: 'signal', count: 'item.n' }),
      '.finding.count',
      'has one finding',
    ],
    ['a time of a state', source({}, { at: 'item.t' }), '.finding.at', 'nature: signal'],
    ['a severity', source({}, { severities: { bad: 'worst' } }), '.finding.severities.bad', 'one of critical, high'],
    ['an event type', source({}, { eventType: 'Not One' }), '.finding.eventType', 'lower case and -'],
    ['an empty expression', source({}, { title: '' }), '.finding.title', 'at least 1 characters'],
    ['an expression that is none', source({}, { title: 7 }), '.finding.title', 'plain text stands between quotes'],
    ['a long expression', source({}, { title: `"${'a'.repeat(2_048)}"` }), '.finding.title', 'at most 2048 characters'],
    ['a name of a detail', source({}, { details: { 'a b': 'item.a' } }), '.finding.details.a b', 'letters, digits'],
    [
      'plain text',
      source({}, { title: 'failed' }),
      '.finding.title',
      'line 1, column 1: Unknown variable: failed; there are document, carrier, item (text stands between quotes)',
    ],
    ['syntax', source({ when: 'document.a = 1' }), '.when', 'line 1, column 12:'],
    ['item of the whole document', source({ items: 'item.l' }), '.items', 'Unknown variable: item'],
    [
      'the wrong kind of value',
      source({ when: 'size(document.a)' }),
      '.when',
      'must give true or false, and gives int',
    ],
    ['a part of the identity', source({}, { identity: ['item.a', 'item.'] }), '.finding.identity[1]', 'line 1, column'],
    ['a detail', source({}, { details: { one: 'item.a +' } }), '.finding.details.one', 'line 1, column'],
    [
      'a part of the resource',
      source({}, { resource: { ...about, name: '1 + "a"' } }),
      '.finding.resource.name',
      'no such overload',
    ],
    ['a pattern', source({}, { match: 'item.a.matches("(")' }), '.finding.match', 'RE2'],
    [
      'loops in loops in loops',
      source({ when: 'document.l.all(a, document.l.all(b, document.l.all(c, true)))' }),
      '.when',
      'nested 2 deep',
    ],
  ];
  for (const [what, one, place, words] of refused) {
    test(`are refused with place and fix: ${what}`, async (t) => {
      const problems = await problemsOf(t, one);
      const wanted = `declarativeSources[0]${place}: `;
      assert.ok(
        problems.some((problem) => problem.startsWith(wanted) && problem.includes(words)),
        problems.join('\n'),
      );
      assert.equal(problems.length, 1, problems.join('\n'));
    });
  }

  test('are all told of at once, beside what else is wrong', async (t) => {
    const problems = await problemsIn(t, {
      preset: 'none',
      declarativeSources: [
        source({ title: undefined }, { match: 'foo', rule: 'bar' }),
        source({ name: 'trivy', when: '1' }),
        'nonsense',
      ],
    });
    assert.deepEqual(problems.map((problem) => problem.split(': ')[0]).sort(), [
      'declarativeSources[0].finding.match',
      'declarativeSources[0].finding.rule',
      'declarativeSources[0].title',
      'declarativeSources[1].name',
      'declarativeSources[1].resource',
      'declarativeSources[1].when',
      'declarativeSources[2]',
      'preset',
    ]);
  });

  test('do not share a name or a kind', async (t) => {
    const problems = await problemsOf(
      t,
      source(),
      source({ name: 'other' }),
      source({ resource: { ...resource, kind: 'Third' } }),
    );
    assert.deepEqual(problems, [
      'declarativeSources[1].resource: is read by the source example already: one source reads a kind',
      'declarativeSources[2].name: is taken: another source has it',
    ]);
  });

  test('are at most 32', async (t) => {
    const many = Array.from({ length: 33 }, (_, n) =>
      source({ name: `s${n}`, resource: { ...resource, kind: `Kind${n}` } }),
    );
    assert.deepEqual(await problemsOf(t, ...many.slice(0, 32)), []);
    assert.deepEqual(await problemsOf(t, ...many), ['declarativeSources: at most 32 entries']);
  });

  test('can be switched off, and given words, like all others', async (t) => {
    const config = {
      declarativeSources: [source()],
      sources: { example: { enabled: false, severities: { odd: 'low' } } },
    };
    assert.deepEqual(await problemsIn(t, config), []);
    assert.match(
      (await problemsIn(t, { ...config, sources: { exampel: {} } })).join(),
      /sources\.exampel: .*, example$/,
    );
  });

  test('can be given a route where bodies are sent to them, and only there', async (t) => {
    const webhooks = { routes: { example: { open: true } } };
    const sent = source({ webhook: true, recognise: 'has(document.a)', subject: 'document.a' }, { resource: about });
    assert.deepEqual(await problemsIn(t, { declarativeSources: [sent], webhooks }), []);
    const [problem, ...others] = await problemsIn(t, { declarativeSources: [source()], webhooks });
    assert.match(problem ?? '', /^webhooks\.routes\.example: no such source/);
    assert.deepEqual(others, []);
  });

  test('need a restart when they change', () => {
    const before = configSchema.parse({ declarativeSources: [source()] });
    assert.deepEqual(keysThatNeedRestart(before, configSchema.parse({})), ['declarativeSources']);
  });

  test('are added to those of the registry', async () => {
    assert.equal((await configuredSources(configSchema.parse({}), sources)).length, sources.length);
    const made = await configuredSources(configSchema.parse({ declarativeSources: [source()] }), sources);
    assert.deepEqual(
      made.slice(sources.length).map(({ name, emits, severityWords }) => [name, emits, severityWords['high']]),
      [['example', ['example'], 'high']],
    );
  });

  test('of the examples are valid', async () => {
    const folder = join(repositoryRoot, 'examples/declarative');
    const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'));
    assert.ok(files.length >= 3);
    for (const file of files) {
      const config = await loadConfig({ config: join(folder, file) }, {}, sources);
      assert.equal((await configuredSources(config, sources)).length, sources.length + 1, file);
    }
  });
});
