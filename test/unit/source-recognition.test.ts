/** No document is claimed by two formats, whatever tool it comes from. */
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { recognise } from '../../src/sources/recognise.ts';
import { formats } from '../../src/sources/registry.ts';
import type { RawDocument } from '../../src/sources/source.ts';
import { caseFile, cases } from '../support/format-cases.ts';
import { openFixtures, reportsIn } from '../support/reports.ts';

function claimedBy(document: RawDocument): string[] {
  return formats()
    .filter((format) => format.recognise(document))
    .map(({ name }) => name);
}

suite('a document is of one format', () => {
  for (const { name } of formats()) {
    test(`the fixtures of ${name}, broken ones too`, async () => {
      for (const word of cases) {
        const documents = await reportsIn(caseFile(name, word));
        assert.ok(documents.length > 0);
        for (const document of documents) assert.deepEqual(claimedBy(document), [name]);
      }
    });
  }

  test('real reports of all tools are claimed by one format at the most', async (t) => {
    const folder = openFixtures();
    if (folder === undefined) return t.skip('no folder of real reports (set ZEN_SHARED)');
    const files = globSync('*/*', { cwd: folder });
    let claimed = 0;
    for (const file of files) {
      for (const document of await reportsIn(join(folder, file))) {
        const names = claimedBy(document);
        assert.ok(names.length <= 1, `${file} is ${names.join(' and ')}`);
        claimed += names.length;
      }
    }
    assert.ok(claimed > 40, `only ${claimed} documents are of any format`);
  });

  test('words of one format in a document of another deceive nobody', () => {
    const claims = (document: RawDocument) => claimedBy(document);
    // Trivy Operator, NeuVector and an object that merely looks alike.
    const report = { vulnerabilities: [], modules: [] };
    const operators = { apiVersion: 'aquasecurity.github.io/v1alpha1', kind: 'VulnerabilityReport', report };
    assert.deepEqual(claims(operators), ['trivy-vulnerability-report']);
    assert.deepEqual(claims({ report: { vulnerabilities: [] } }), []);
    // The matches of Kubescape's manifests are Grype's, and so is their descriptor; a SARIF log of Grype is SARIF.
    assert.deepEqual(claims({ matches: [], source: {} }), []);
    assert.deepEqual(claims({ matches: [], descriptor: { name: 'syft' } }), []);
    assert.deepEqual(claims({ version: '2.1.0', runs: [{ tool: { driver: { name: 'Grype' } } }] }), ['sarif']);
    assert.deepEqual(claims({ version: '1.0.0', runs: [] }), []);
    // Trivy of a cluster and of an artifact, and Kubescape, whose cluster has a small letter.
    assert.deepEqual(claims({ SchemaVersion: 2, ClusterName: 'x', Resources: [] }), ['trivy-cli']);
    assert.deepEqual(claims({ clusterName: 'x', results: [], summaryDetails: {} }), ['kubescape-cli']);
    assert.deepEqual(claims({ passed: 1, failed: 0 }), []);
    assert.deepEqual(claims({ Target: 'x' }), []);
    assert.deepEqual(claims({ tests: [] }), []);
    assert.deepEqual(claims({ popeye: 'yes' }), []);
  });

  test('hostile members are no reason to fail', () => {
    const hostile = JSON.parse('{"__proto__": {"popeye": {}}, "descriptor": {"name": {}}, "matches": 1, "runs": 1}');
    assert.equal(recognise(hostile), undefined);
  });
});
