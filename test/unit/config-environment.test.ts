/** The environment of older versions (I2), and what is said of a configuration that is wrong. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { environmentWarnings, ignoredVariables, settingVariables } from '../../src/config/environment.ts';
import { ConfigError, loadConfig } from '../../src/config/load.ts';
import { sources } from '../../src/sources/registry.ts';

/** Every name that manifests of older versions may have. */
const olderNames = [
  'WATCH_NAMESPACE',
  'TRIVY_NAMESPACE',
  'KYVERNO_NAMESPACE',
  'FALCO_NAMESPACE',
  'KUBE_BENCH_NAMESPACE',
  'KUBEBENCH_NAMESPACE',
  'CHECKOV_NAMESPACE',
  'BEHAVIOR_MODE',
  'AUTO_DETECT_ENABLED',
  'LOG_LEVEL',
  'METRICS_PORT',
  'WATCHER_PORT',
  'CLUSTER_ID',
  'DEDUP_WINDOW',
  'FALCO_BUFFER_SIZE',
  'AUDIT_BUFFER_SIZE',
];

function fileOf(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'zen-config-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'config.yaml'), text);
  return join(folder, 'config.yaml');
}

async function problemsOf(...input: [Parameters<typeof loadConfig>[0], Parameters<typeof loadConfig>[1]]) {
  try {
    await loadConfig(...input, sources);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

suite('the environment of older versions', () => {
  test('each name works or says once why it does not', async () => {
    const known = [...settingVariables, ...ignoredVariables].map(({ name }) => name);
    assert.deepEqual(
      olderNames.filter((name) => !known.includes(name)),
      [],
    );
    for (const { name } of ignoredVariables) {
      assert.deepEqual(environmentWarnings({ [name]: '' }), []);
      const warnings = environmentWarnings({ [name]: 'x' });
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] ?? '', new RegExp(`^${name} is ignored: .{10,}`));
    }
    for (const { name } of settingVariables) assert.deepEqual(environmentWarnings({ [name]: 'all' }), []);
  });

  test('sets what it says, over the file and under the flags', async (t) => {
    const config = fileOf(t, 'events: { namespace: file, cluster: file }\nlog: { level: error }\n');
    const environment = { WATCH_NAMESPACE: 'variable', LOG_LEVEL: 'DEBUG', METRICS_PORT: '9090', CLUSTER_ID: ' prod ' };
    const loaded = await loadConfig({ config, namespace: 'flag' }, environment, sources);
    assert.deepEqual(
      [loaded.events.namespace, loaded.events.cluster, loaded.log.level, loaded.server.metricsPort],
      ['flag', 'prod', 'debug', 9090],
    );
  });

  test('adds the namespaces of tools to those whose ConfigMaps are read', async (t) => {
    const namespaces = async (environment: Readonly<Record<string, string>>, text?: string) => {
      const flags = text === undefined ? {} : { config: fileOf(t, text) };
      return (await loadConfig(flags, environment, sources)).configMaps.namespaces;
    };
    assert.equal(await namespaces({}), undefined);
    const both = { KUBE_BENCH_NAMESPACE: 'bench', CHECKOV_NAMESPACE: 'bench' };
    assert.deepEqual(await namespaces(both), ['zen-system', 'bench']);
    assert.deepEqual(await namespaces({ ...both, WATCH_NAMESPACE: 'events' }), ['events', 'bench']);
    const said = 'configMaps: { namespaces: [ci] }';
    assert.deepEqual(await namespaces({ KUBEBENCH_NAMESPACE: 'bench' }, said), ['ci', 'bench']);
    const wrong = await problemsOf({}, { CHECKOV_NAMESPACE: 'No_Name' });
    assert.match(wrong.join(), /^configMaps\.namespaces\[1\]: a namespace name/);
  });

  test('has words for levels that we do not have', async () => {
    const level = async (LOG_LEVEL: string) => (await loadConfig({}, { LOG_LEVEL }, sources)).log.level;
    assert.deepEqual(
      [await level('CRIT'), await level('Warning'), await level('INFO'), await level('trace')],
      ['error', 'warn', 'info', 'debug'],
    );
  });
});

suite('a configuration that is wrong', () => {
  test('is told of as a whole: file, environment and flags, with who set it', async (t) => {
    const config = fileOf(t, 'writes: { inFlght: 3 }\nsource: {}\nsources: { trivvy: {} }\nqueue: 7\n');
    const problems = await problemsOf(
      { config, logLevel: 'loud' },
      { METRICS_PORT: 'http', WATCH_NAMESPACE: 'No_Name' },
    );
    assert.deepEqual(problems.slice(0, -1), [
      'events.namespace (set by WATCH_NAMESPACE): a namespace name: lower case, digits and -, at most 63',
      'writes: there is no key inFlght; did you mean inFlight?',
      'queue: must be an object',
      'server.metricsPort (set by METRICS_PORT): must be a number',
      'log.level (set by --log-level): one of error, warn, info, debug',
      '(top): there is no key source; did you mean sources?',
    ]);
    assert.match(problems.at(-1) ?? '', /^sources\.trivvy: there is no such source; there are trivy, /);
  });

  test('has the rest checked when the file cannot be read or parsed', async (t) => {
    const broken = await problemsOf({ config: fileOf(t, 'a: [\n') }, { METRICS_PORT: 'x' });
    assert.equal(broken.length, 2);
    assert.match(broken[0] ?? '', /config\.yaml: Flow sequence .*line 2/s);
    assert.match(broken[1] ?? '', /set by METRICS_PORT/);
    assert.match((await problemsOf({ config: '/nowhere' }, {})).join(), /^\/nowhere: cannot be read: ENOENT/);
    assert.match((await problemsOf({ config: fileOf(t, '- 1') }, {})).join(), /must be a mapping/);
  });
});
