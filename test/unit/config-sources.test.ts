/** What the configuration of the sources says to their formats. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { readContextsOf, sourcesOn } from '../../src/config/read-contexts.ts';
import { configSchema } from '../../src/config/schema.ts';
import { sources } from '../../src/sources/registry.ts';

suite('configuration of sources', () => {
  test('sources that are on are known to all formats', () => {
    const on = sources.filter(({ name }) => name !== 'trivy');
    const { isOn } = readContextsOf(configSchema.parse({}), on)('policyreport');
    assert.deepEqual([isOn?.('trivy'), isOn?.('policyreport'), isOn?.('nobody')], [false, true, false]);
  });

  test('a source that is read from files only is not watched: what adapters copied of it is no copy', () => {
    const config = configSchema.parse({});
    const watched = sourcesOn(config, sources);
    assert.ok(sources.some(({ name }) => name === 'kubearmor'));
    assert.ok(!watched.some(({ name }) => name === 'kubearmor'));
    const { isOn } = readContextsOf(config, watched)('policyreport');
    assert.deepEqual([isOn?.('kubearmor'), isOn?.('trivy')], [false, true]);
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
    assert.equal(contexts('trivy').isTrusted?.('Fleet Scanner'), false);
    assert.equal(readContextsOf(configSchema.parse({}), sources)('policyreport').isTrusted?.('kyverno'), false);
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
