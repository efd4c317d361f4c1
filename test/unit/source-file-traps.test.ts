/** One test per trap of the formats that come as files: scanners' reports. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { buildEvent, contentHash } from '../../src/pipeline/event-builder.ts';
import { OwnerResolver, reportKeyHash } from '../../src/pipeline/identity.ts';
import { noPods } from '../../src/pipeline/owner.ts';
import { repositoryOf } from '../../src/sources/image-name.ts';
import { expand, recognise } from '../../src/sources/recognise.ts';
import { sources } from '../../src/sources/registry.ts';
import type { Carrier, Finding, RawDocument, Reading } from '../../src/sources/source.ts';
import { MalformedReport } from '../../src/sources/source.ts';
import { caseFile } from '../support/format-cases.ts';
import { nameOf, readAt, reportsIn } from '../support/reports.ts';

type Entry = Readonly<Record<string, unknown>>;

/** All readings of what stands in a file, a list or an object. */
function readings(document: unknown, carrier?: Carrier): readonly Reading[] {
  return [...expand(document)].flatMap(({ document: part }) => {
    const format = part === undefined ? undefined : recognise(part);
    assert.ok(part !== undefined && format !== undefined, 'no format recognises the document');
    return format.read(part, { now: readAt, carrier });
  });
}

function reading(document: unknown, carrier?: Carrier): Reading {
  return only(readings(document, carrier));
}

function findings(document: unknown, carrier?: Carrier): readonly Finding[] {
  return readings(document, carrier).flatMap((one) => one.findings);
}

function only<T>(items: readonly T[]): T {
  const [item] = items;
  assert.ok(item !== undefined && items.length === 1, `expected one, found ${items.length}`);
  return item;
}

function names(document: unknown, carrier?: Carrier): string[] {
  return [...new Set(findings(document, carrier).map(nameOf))].sort();
}

function severities(document: unknown): string[] {
  return findings(document).map(({ severity }) => severity);
}

function keys(document: unknown, carrier?: Carrier): string[] {
  return readings(document, carrier).map(({ reportKey }) => reportKeyHash(reportKey, new OwnerResolver(noPods)));
}

/** Everything that decides whether anything is written. */
function written(document: unknown): Map<string, number> {
  const events = new Map<string, number>();
  for (const { findings: found, origin, reportKey } of readings(document)) {
    const owners = new OwnerResolver(noPods);
    for (const finding of found) {
      const name = nameOf(finding);
      const identity = { name, fingerprint: '' };
      const parts = { finding, identity, resource: owners.resolve(finding.resource), origin };
      const event = buildEvent(
        { ...parts, reportKey: reportKeyHash(reportKey, owners) },
        { namespace: 'zen-system', detectedAt: readAt },
      );
      if (!events.has(name)) events.set(name, contentHash(event));
    }
  }
  return events;
}

function carrierOf(change: Partial<Carrier>): Carrier {
  return { namespace: 'tools', name: 'kube-bench', key: 'results.json', labels: {}, annotations: {}, ...change };
}

suite('kube-bench', () => {
  const result: Entry = { test_number: '4.1.1', test_desc: 'Ensure it', status: 'FAIL', scored: true };
  const control = (results: readonly Entry[], change: Entry = {}) => ({
    id: '4',
    version: 'cis-1.9',
    node_type: 'node',
    tests: [{ section: '4.1', desc: 'Files', results }],
    ...change,
  });

  test('the three forms of three versions are the same', () => {
    const one = control([result]);
    assert.deepEqual(names([one]), names(one));
    assert.deepEqual(names({ Controls: [one], Totals: {} }), names(one));
    assert.deepEqual(keys({ Controls: [one] }), keys([one]));
  });

  test('totals are not believed', () => {
    const liar = control([result], { total_fail: 0, total_pass: 9 });
    assert.equal(findings({ Controls: [liar], Totals: { total_fail: 12 } }).length, 1);
    assert.equal(findings({ Controls: [], Totals: { total_fail: 12 } }).length, 0);
    assert.equal(findings({ Controls: null, Totals: { total_fail: 12 } }).length, 0);
  });

  test('a test that is not scored fails low, a manual one is information', () => {
    const results = [result, { ...result, scored: false }, { ...result, status: 'WARN' }];
    assert.deepEqual(severities(control(results)), ['medium', 'low', 'info']);
  });

  test('the node is that of the ConfigMap: label, annotation, name; sections of the control plane have none', () => {
    const nodeOf = (change: Partial<Carrier>) => only(findings(control([result]), carrierOf(change))).resource.name;
    assert.equal(nodeOf({ labels: { node: 'a' }, annotations: { node: 'b' }, name: 'kube-bench-c' }), 'a');
    assert.equal(nodeOf({ annotations: { 'zen.kube-zen.io/node': 'b' }, name: 'kube-bench-c' }), 'b');
    assert.equal(nodeOf({ name: 'kube-bench-results-c' }), 'c');
    assert.equal(nodeOf({}), 'unnamed');
    const onNodes = (document: RawDocument) =>
      ['a', 'b'].flatMap((node) => names(document, carrierOf({ labels: { node } })));
    assert.equal(new Set(onNodes(control([result]))).size, 2);
    assert.equal(new Set(onNodes(control([result], { id: '1', node_type: 'master' }))).size, 1);
  });

  test('the version of Kubernetes is none of the benchmark', () => {
    const upgraded = control([result], { detected_version: '1.34' });
    assert.deepEqual(written(upgraded), written(control([result], { detected_version: '1.33' })));
    assert.notDeepEqual(names(control([result], { version: 'cis-1.10' })), names(upgraded));
  });

  test('what was found on the node is no change', () => {
    const found = (actual_value: string) => control([{ ...result, actual_value, reason: actual_value }]);
    assert.deepEqual(written(found('permissions=777')), written(found('permissions=666')));
  });

  test('a section that is not there says nothing: each is a report of its own', () => {
    const other = control([], { id: '1', node_type: 'master' });
    const both = keys({ Controls: [control([result]), other] });
    assert.equal(new Set(both).size, 2);
    assert.deepEqual(keys({ Controls: [other] }), [both[1]]);
    const clusterWide = ['1', '2'].map((id) => control([], { id, node_type: 'master' }));
    assert.equal(new Set(keys({ Controls: clusterWide })).size, 2);
  });

  test('a section that is none takes nothing from the others', () => {
    const [first] = readings({ Controls: [7, control([result])] });
    assert.equal(first?.completeness, 'complete');
    assert.equal(first?.rejected.length, 1);
  });
});

suite('Checkov', () => {
  const check: Entry = {
    check_id: 'CKV_K8S_16',
    check_name: 'Container should not be privileged',
    resource: 'Deployment.store.shop',
    file_path: '/shop.yaml',
    file_line_range: [1, 9],
    severity: null,
  };
  const report = (failed_checks: readonly Entry[], change: Entry = {}) => ({
    check_type: 'kubernetes',
    results: { failed_checks, passed_checks: [], parsing_errors: [] },
    summary: { failed: 0 },
    ...change,
  });

  test('the summary is not believed, and without a severity it is unknown', () => {
    assert.deepEqual(severities(report([check])), ['unknown']);
    assert.deepEqual(severities(report([{ ...check, severity: 'High' }])), ['high']);
  });

  test('lines move with every edit: neither another finding nor a change', () => {
    const moved = report([{ ...check, file_line_range: [100, 140], code_block: [[100, 'x']] }]);
    assert.deepEqual(written(moved), written(report([check])));
  });

  test('one object and a list of objects', () => {
    const other = report([check], { check_type: 'helm' });
    assert.deepEqual(names([report([check]), other]).length, 2);
    assert.equal(new Set(keys([report([check]), other])).size, 2);
  });

  test('nothing scanned and files that were not parsed are no evidence', () => {
    assert.equal(reading({ passed: 0, failed: 0, skipped: 0, parsing_errors: 0 }).completeness, 'not-yet');
    const broken = { results: { failed_checks: [], parsing_errors: ['/shop.yaml'] } };
    assert.equal(reading(report([], broken)).completeness, 'partial');
    assert.equal(reading(report([])).completeness, 'complete');
  });

  test('the names of resources may have dots, namespaces and kinds have none', () => {
    const resourceOf = (check_type: string, resource: string) => {
      const { kind, namespace, name } = only(findings(report([{ ...check, resource }], { check_type }))).resource;
      return [kind, namespace, name];
    };
    assert.deepEqual(resourceOf('kubernetes', 'Pod.store.shop.v1.2'), ['Pod', 'store', 'shop.v1.2']);
    assert.deepEqual(resourceOf('kubernetes', 'nonsense'), ['File', undefined, '/shop.yaml']);
    assert.deepEqual(resourceOf('terraform', 'module.a.aws_vpc.b'), ['aws_vpc', undefined, 'b']);
    assert.deepEqual(resourceOf('cloudformation', 'AWS::S3::Bucket.B'), ['AWS::S3::Bucket', undefined, 'B']);
    assert.deepEqual(resourceOf('dockerfile', '/Dockerfile.'), ['File', undefined, '/shop.yaml']);
  });
});

suite('Trivy CLI', () => {
  const vulnerability: Entry = {
    VulnerabilityID: 'CVE-2099-0001',
    PkgName: 'sage',
    InstalledVersion: '1.0',
    Severity: 'HIGH',
  };
  const system = (image: string, Vulnerabilities: readonly Entry[], os = 'alpine 3.20') => ({
    Target: `${image} (${os})`,
    Class: 'os-pkgs',
    Type: 'alpine',
    Vulnerabilities,
  });
  const artifact = (ArtifactName: string, Results: unknown) => ({
    SchemaVersion: 2,
    ArtifactName,
    ArtifactType: 'container_image',
    Results,
  });

  test('a new tag, digest, operating system and version change nothing but what is installed', () => {
    const before = artifact('reg:5000/shop:1', [system('reg:5000/shop:1', [vulnerability])]);
    const after = artifact('reg:5000/shop@sha256:0', [
      system('reg:5000/shop@sha256:0', [vulnerability], 'alpine 3.21'),
    ]);
    assert.deepEqual(written(after), written(before));
    assert.deepEqual(keys(after), keys(before));
    const newer = artifact('reg:5000/shop:1', [system('x', [{ ...vulnerability, InstalledVersion: '1.1' }])]);
    assert.deepEqual(names(newer), names(before));
    assert.notDeepEqual(written(newer), written(before));
  });

  test('an image that could not be looked into is not clean', () => {
    assert.equal(reading(artifact('shop', undefined)).completeness, 'not-yet');
    assert.equal(reading(artifact('shop', [system('shop', [])])).completeness, 'complete');
    const failed = { ClusterName: 'c', Resources: [{ Kind: 'Pod', Name: 'shop', Error: 'no image' }] };
    assert.equal(reading(failed).completeness, 'not-yet');
  });

  test('lock files tell one package apart; the target of an operating system does not', () => {
    const inFile = (Target: string) => ({ Target, Class: 'lang-pkgs', Vulnerabilities: [vulnerability] });
    assert.equal(names(artifact('shop', [inFile('a.lock'), inFile('b.lock')])).length, 2);
    assert.equal(names(artifact('shop', [system('a', [vulnerability]), system('b', [vulnerability])])).length, 1);
  });

  test('one package in two versions is one finding that lists both, in any order', () => {
    const pair = [vulnerability, { ...vulnerability, InstalledVersion: '1.1', Severity: 'CRITICAL' }];
    const of = (list: readonly Entry[]) => findings(artifact('shop', [system('shop', list)]));
    for (const list of [pair, pair.toReversed()]) {
      const [first, second] = of(list);
      assert.equal(first?.severity, 'critical');
      assert.equal(first?.describe().details['installedVersion'], '1.0, 1.1');
      assert.deepEqual(second?.describe(), first?.describe());
    }
  });

  test('passed checks are none; a missing severity is unknown', () => {
    const Misconfigurations = [
      { ID: 'A', Status: 'PASS', Severity: 'HIGH' },
      { ID: 'B', Status: 'FAIL' },
    ];
    const found = findings(artifact('.', [{ Target: 'x.yaml', Class: 'config', Misconfigurations }]));
    assert.deepEqual([only(found).rule, only(found).severity], ['B', 'unknown']);
  });

  test('a cluster: a ReplicaSet is its Deployment, and a rollout changes nothing', () => {
    const cluster = (hash: string) => ({
      ClusterName: 'c',
      Resources: [
        { Namespace: 'store', Kind: 'ReplicaSet', Name: `shop-${hash}`, Results: [system('shop:1', [vulnerability])] },
      ],
    });
    assert.deepEqual(written(cluster('5b7c9d6f84')), written(cluster('7d9f8b6c54')));
  });

  test('the older list of results, and null for an empty one', () => {
    assert.equal(findings([{ Target: 'shop:1 (debian 10.8)', Vulnerabilities: [vulnerability] }]).length, 1);
    assert.equal(reading([{ Target: 'Gemfile.lock', Type: 'bundler', Vulnerabilities: null }]).findings.length, 0);
    assert.deepEqual(
      keys([{ Target: 'shop:1 (debian 10.8)', Type: 'debian' }]),
      keys([{ Target: 'shop:2 (debian 10.9)', Type: 'debian' }]),
    );
  });

  test('the repository of an image', () => {
    assert.equal(repositoryOf('reg.example.org:5000/a/b:1.2@sha256:00'), 'reg.example.org:5000/a/b');
    assert.equal(repositoryOf('reg.example.org:5000/a/b'), 'reg.example.org:5000/a/b');
    assert.equal(repositoryOf('busybox:latest'), 'busybox');
  });
});

suite('Grype', () => {
  const match = (id: string, name: string, severity?: string, version = '1.0') => ({
    vulnerability: { id, ...(severity === undefined ? {} : { severity }) },
    artifact: { name, version },
  });
  const report = (matches: unknown, userInput = 'shop:1') => ({
    matches,
    source: { type: 'image', target: { userInput } },
    descriptor: { name: 'grype' },
  });

  test('severities: negligible is information, a missing one unknown', () => {
    const words = ['Critical', 'High', 'Medium', 'Low', 'Negligible', 'Unknown', undefined];
    const found = severities(report(words.map((word, at) => match(`CVE-${at}`, 'x', word))));
    assert.deepEqual(found, ['critical', 'high', 'medium', 'low', 'info', 'unknown', 'unknown']);
  });

  test('a new tag changes nothing; neither do matches in another order', () => {
    const matches = [match('CVE-1', 'a', 'High'), match('CVE-1', 'a', 'High', '2.0'), match('CVE-2', 'a', 'Low')];
    assert.deepEqual(names(report(matches.toReversed(), 'shop:2')), names(report(matches)));
    assert.deepEqual(
      new Map([...written(report(matches.toReversed()))].sort()),
      new Map([...written(report(matches))].sort()),
    );
  });

  test('the CVE of a GHSA is an alias, and the finding keeps the id that Grype gives', () => {
    const related = { ...match('GHSA-a', 'a', 'High'), relatedVulnerabilities: [{ id: 'CVE-1' }, { id: 'GHSA-a' }] };
    const finding = only(findings(report([related])));
    assert.equal(finding.rule, 'GHSA-a');
    assert.deepEqual(finding.describe().details['aliases'], ['CVE-1']);
  });
});

suite('reports in ConfigMaps', () => {
  test('are told apart by namespace, name and key, and never by resource version', () => {
    const report = {
      matches: [],
      source: { type: 'image', target: { userInput: 'a' } },
      descriptor: { name: 'grype' },
    };
    const different = [{}, { namespace: 'other' }, { name: 'other' }, { key: 'other' }];
    assert.equal(new Set(different.flatMap((change) => keys(report, carrierOf(change)))).size, 4);
    assert.deepEqual(keys(report, carrierOf({ labels: { x: 'y' } })), keys(report, carrierOf({})));
    assert.equal(reading(report, carrierOf({})).partition, 'tools');
    assert.equal(reading(report).partition, '');
  });
});

test('a report of which something could not be read is never complete', async () => {
  for (const source of sources) {
    for (const format of source.formats ?? []) {
      for (const document of await reportsIn(caseFile(format.name, 'malformed'))) {
        try {
          for (const { completeness } of readings(document)) assert.notEqual(completeness, 'complete', format.name);
        } catch (error) {
          assert.ok(error instanceof MalformedReport, `${error}`);
        }
      }
    }
  }
});
