/** What the configuration of the sources says to their formats. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { readContextsOf, sourcesOn } from '../../src/config/read-contexts.ts';
import { configMapNamespaces, configSchema } from '../../src/config/schema.ts';
import { sources } from '../../src/sources/registry.ts';

suite('configuration of sources', () => {
  test('sources that are on are known to all formats', () => {
    const on = sources.filter(({ name }) => name !== 'trivy');
    const { isOn } = readContextsOf(configSchema.parse({}), on)('policyreport');
    assert.deepEqual([isOn?.('trivy'), isOn?.('policyreport'), isOn?.('nobody')], [false, true, false]);
  });

  test('a source whose reports come as files is on where ConfigMaps are watched, but what adapters copied of it is no copy', () => {
    assert.ok(sources.some(({ name }) => name === 'kubearmor'));
    const isOnWith = (configMaps: object) => {
      const config = configSchema.parse({ configMaps });
      const on = sourcesOn(config, sources);
      const { isOn } = readContextsOf(config, on)('policyreport');
      return [on.some(({ name }) => name === 'kubearmor'), isOn?.('kubearmor'), isOn?.('trivy')];
    };
    assert.deepEqual(isOnWith({}), [true, false, true]);
    assert.deepEqual(isOnWith({ namespaces: [] }), [false, false, true]);
  });

  test('ConfigMaps are looked for in the namespace of the events where nothing is said, and in each namespace once', () => {
    const namespacesOf = (tree: object) => configMapNamespaces(configSchema.parse(tree));
    assert.deepEqual(namespacesOf({ events: { namespace: 'sec' } }), ['sec']);
    assert.deepEqual(namespacesOf({ configMaps: { namespaces: ['b', 'a', 'b'] } }), ['b', 'a']);
    assert.deepEqual(namespacesOf({ configMaps: { namespaces: [] } }), []);
  });

  test('events cannot be placed or brought home where only some namespaces are watched', () => {
    const watch = { namespaces: ['shop'] };
    const problems = (events: object) =>
      configSchema.safeParse({ watch, events }).error?.issues.map(({ path }) => path.join('.')) ?? [];
    assert.deepEqual(problems({}), []);
    assert.deepEqual(problems({ placement: 'resource', migrate: true }), ['events.placement', 'events.migrate']);
  });

  test('producers are trusted by name, in any case of letters, and nobody is by default', () => {
    const config = configSchema.parse({ sources: { policyreport: { trustedSources: ['Fleet Scanner'] } } });
    const contexts = readContextsOf(config, sources);
    const { isTrusted } = contexts('policyreport');
    const words = ['Fleet Scanner', 'fleet scanner', 'fleet', ''];
    assert.deepEqual(
      words.map((word) => isTrusted?.(word)),
      [true, true, false, false],
    );
    // Not even asked: reports that speak for their own namespace alone need not be read everywhere.
    assert.equal(contexts('trivy').isTrusted, undefined);
    assert.equal(readContextsOf(configSchema.parse({}), sources)('policyreport').isTrusted, undefined);
  });

  test('other sources have no producers to trust, and an empty name is none', () => {
    const problems = (tree: unknown) => {
      const { error } = configSchema.safeParse(tree);
      return error?.issues.map(({ path }) => path.join('.')) ?? [];
    };
    assert.deepEqual(problems({ sources: { trivy: { trustedSources: ['x'] } } }), ['sources.trivy.trustedSources']);
    assert.deepEqual(problems({ sources: { policyreport: { trustedSources: [''] } } }), [
      'sources.policyreport.trustedSources.0',
    ]);
    assert.deepEqual(problems({ sources: { policyreport: { trustedSources: 'x' } } }), [
      'sources.policyreport.trustedSources',
    ]);
  });
});
