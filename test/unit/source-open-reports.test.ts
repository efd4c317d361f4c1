/** Real reports of the tools, from the folder beside the project: counted as by hand, and every difference has a reason. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { recognise } from '../../src/sources/recognise.ts';
import type { Finding, Format, RawDocument } from '../../src/sources/source.ts';
import { eventsOf, withEntriesReversed } from '../support/format-cases.ts';
import { nameOf, openFixtures, readAt, reportsIn } from '../support/reports.ts';

interface Count {
  readonly total: number;
  readonly by?: Readonly<Record<string, number>>;
}

/** The folders of tools whose reports come as files, and the format that is in them. */
const tools: Readonly<Record<string, string>> = {
  'kube-bench': 'kube-bench',
  checkov: 'checkov',
  sarif: 'sarif',
  'trivy-cli': 'trivy-cli',
  grype: 'grype',
  kubescape: 'kubescape-cli',
  polaris: 'polaris',
  'kube-hunter': 'kube-hunter',
  popeye: 'popeye',
};

/** Files in those folders that are of other formats. */
const otherFormats = /^kubescape\/(?!cli-)/;

/** Files with entries that are one finding: how many findings there are, and why. */
const fewerFindings: Readonly<Record<string, readonly [number, string]>> = {
  'grype/all-fields-6.json': [5, 'one match is there twice'],
  'kubescape/cli-results-many-large.json': [
    251,
    'objects are defined in two or three files of the folder that was scanned',
  ],
  'popeye/many-sanitizers.json': [171, 'Pods of one Deployment have the same issues'],
};

/** Files that the hand counted otherwise: why we find what we find. */
const otherCounts: Readonly<Record<string, string>> = {
  'kube-hunter/many.json': 'two checks without an id (`None`) were counted as one; their headings tell them apart',
};

/** How counts.json names the severities of a tool. */
const countedAs: Readonly<Record<string, (finding: Finding) => string>> = {
  'kube-bench': ({ sourceSeverity }) => sourceSeverity ?? '',
  checkov: ({ sourceSeverity }) => sourceSeverity?.toLowerCase() ?? 'unstated',
  'trivy-cli': ({ sourceSeverity }) => sourceSeverity?.toLowerCase() ?? '',
  grype: ({ sourceSeverity }) => sourceSeverity?.toLowerCase() ?? '',
  kubescape: () => 'failed',
  polaris: ({ sourceSeverity }) => sourceSeverity ?? '',
  popeye: ({ sourceSeverity }) => `level${sourceSeverity}`,
};

/** SARIF was counted by level; a security severity of the rule, which dockle and dependency-check do not have, goes first. */
const sarifLevels: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  'sarif/grype-image.sarif.json': { critical: 1, high: 11, low: 6, medium: 4 },
};

/** Counted by hand here: counts.json has none of these tools. */
const runtimeFindings: Readonly<Record<string, number>> = {
  // counts.json counts the items of the lists: docs/sources/audit.md says which of them are findings.
  'audit/event-create_nginx_pod_privileged.json': 1,
  'audit/event-create_secret.json': 1,
  'audit/event-exec_pod.json': 1,
  'audit/eventlist-deletes.json': 2,
  'audit/eventlist-mixed.json': 5,
  'audit/eventlist-pod-create-requestreceived.json': 0,
  'falco/falcosidekick-test-event.json': 1,
  'falco/internal-syscall-event-drop-debug.json': 0,
  'falco/read-sensitive-file-container-only.json': 1,
  'falco/read-sensitive-file-on-host.json': 1,
  'falco/run-shell-untrusted-notice.json': 1,
  'falco/system-user-informational.json': 1,
  'falco/terminal-shell-k8s-uuid.json': 1,
  'falco/terminal-shell-pod-without-namespace.json': 1,
  'falco/write-below-binary-dir-error.json': 1,
  'kubearmor/alert-file-block-rm.json': 1,
  'kubearmor/alert-host-process-block.json': 1,
  'kubearmor/alert-network-audit-vault.json': 1,
  'kubearmor/alert-process-block-apt.json': 1,
  'kubearmor/alert-process-block-sleep.json': 1,
  'kubearmor/log-containerlog-process.json': 0,
  'tetragon/process_exec-privileged-nsenter.json': 0,
  'tetragon/process_exec.ndjson': 0,
  'tetragon/process_exit.json': 0,
  'tetragon/process_kprobe-policy-file-monitoring.json': 1,
  'tetragon/process_kprobe-vi-etc-passwd.json': 1,
  'neuvector/runtime-audit.json': 1,
  'neuvector/runtime-violation.json': 1,
  'neuvector/scan-none.json': 0,
  'neuvector/scan-one.json': 1,
};

/** Objects that tell of themselves: how many findings there are, counted by hand where counts.json does not have them. */
const objects: Readonly<Record<string, readonly [format: string, total: number]>> = {
  'gatekeeper/audit-log-violation.json': ['gatekeeper-audit-log', 1],
  'gatekeeper/constraint-outdatedimagebases-list.json': ['gatekeeper-constraint', 4],
  'gatekeeper/constraint-requiredlabels.yaml': ['gatekeeper-constraint', 4],
  'cert-manager/certificate-config-error.yaml': ['cert-manager-certificate', 1],
  'cert-manager/certificate-issued.yaml': ['cert-manager-certificate', 0],
  'cert-manager/certificate-issuing.yaml': ['cert-manager-certificate', 0],
  'sealed-secrets/degraded.yaml': ['sealed-secret', 1],
  'sealed-secrets/healthy.yaml': ['sealed-secret', 0],
  'kubescape/runtime-alert-R0001.json': ['kubescape-runtime-alert', 1],
  'kubescape/vulnerabilitymanifest-large.yaml': ['kubescape-vulnerability-manifest', 143],
};

/** Objects without findings of their own: policy, and sums of what others say. */
const objectsUnread = new Set([
  'gatekeeper/constrainttemplates-list.json',
  'kubescape/vulnerabilitymanifestsummary-storage.yaml',
  'kubescape/workloadconfigurationscansummary-1.yaml',
]);

/** A policy, and results that name neither host nor workload. */
const unread = new Set(['tetragon/tracingpolicy-filename-monitoring.yaml', 'neuvector/compliance-one.json']);

function tally(words: readonly string[]): Record<string, number> {
  const by: Record<string, number> = {};
  for (const word of words) by[word] = (by[word] ?? 0) + 1;
  return by;
}

function findingsOf(document: RawDocument, format: string): readonly Finding[] {
  const recognised = recognise(document);
  assert.equal(recognised?.name, format);
  return recognised?.read(document, { now: readAt }).flatMap(({ findings }) => findings) ?? [];
}

suite('real reports in files', () => {
  const folder = openFixtures();
  if (folder === undefined) {
    test('are counted as by hand', (t) => t.skip('no folder of real reports (set ZEN_SHARED)'));
    return;
  }
  const counts: Readonly<Record<string, Count>> = JSON.parse(readFileSync(join(folder, 'counts.json'), 'utf8'));
  const files = Object.keys(tools)
    .flatMap((tool) => readdirSync(join(folder, tool)).map((file) => `${tool}/${file}`))
    .filter((file) => !otherFormats.test(file));

  test('are there', () => {
    assert.ok(files.length >= 27, `only ${files.length} files`);
  });

  for (const file of files) {
    test(file, async () => {
      const tool = file.slice(0, file.indexOf('/'));
      const documents = await reportsIn(join(folder, file));
      const findings = documents.flatMap((document) => findingsOf(document, tools[tool] ?? ''));
      const count = counts[file];
      assert.ok(count, 'not counted');
      assert.equal(findings.length, count.total, otherCounts[file] ?? file);
      const [distinct] = fewerFindings[file] ?? [count.total];
      assert.equal(new Set(findings.map(nameOf)).size, distinct);
      const word = countedAs[tool];
      if (count.by !== undefined && word !== undefined) assert.deepEqual(tally(findings.map(word)), count.by);
      const levels = sarifLevels[file];
      if (levels !== undefined) assert.deepEqual(tally(findings.map(({ severity }) => severity)), levels);
      for (const document of documents) assert.deepEqual(eventsOf(withEntriesReversed(document)), eventsOf(document));
    });
  }

  test('runtime events: alerts are findings, telemetry is none', async () => {
    const formats = {
      audit: 'audit-',
      falco: 'falco',
      kubearmor: 'kubearmor',
      tetragon: 'tetragon',
      neuvector: 'neuvector-',
    };
    const found: Record<string, number> = {};
    for (const [tool, format] of Object.entries(formats)) {
      for (const file of readdirSync(join(folder, tool))) {
        const documents: readonly RawDocument[] = await reportsIn(join(folder, tool, file));
        const items: number | undefined = counts[`${tool}/${file}`]?.total;
        if (items !== undefined) assert.equal(documents.length, items, file);
        for (const document of documents) {
          const recognised = recognise(document);
          if (recognised === undefined) {
            assert.ok(unread.has(`${tool}/${file}`), file);
            continue;
          }
          assert.ok(recognised.name.startsWith(format));
          const { length } = recognised.read(document, { now: readAt }).flatMap(({ findings }) => findings);
          found[`${tool}/${file}`] = (found[`${tool}/${file}`] ?? 0) + length;
        }
      }
    }
    assert.deepEqual(found, runtimeFindings);
  });

  test('objects of the cluster are each read or known to hold no findings', async () => {
    const found: Record<string, readonly [string, number]> = {};
    for (const tool of ['gatekeeper', 'cert-manager', 'sealed-secrets', 'kubescape']) {
      const here: string[] = readdirSync(join(folder, tool)).map((name) => `${tool}/${name}`);
      for (const file of here) {
        if (files.includes(file)) continue;
        for (const document of await reportsIn(join(folder, file))) {
          const format: Format | undefined = recognise(document);
          if (format === undefined) {
            assert.ok(objectsUnread.has(file), file);
            continue;
          }
          const { length } = findingsOf(document, format.name);
          assert.equal(new Set(findingsOf(document, format.name).map(nameOf)).size, length);
          found[file] = [format.name, (found[file]?.[1] ?? 0) + length];
          assert.deepEqual(eventsOf(withEntriesReversed(document)), eventsOf(document));
        }
        if (counts[file] !== undefined) assert.equal(found[file]?.[1] ?? 0, counts[file].total, file);
      }
    }
    assert.deepEqual(found, objects);
  });

  test('a result folds only with results of the same control on the same object', async () => {
    const [document] = await reportsIn(join(folder, 'kubescape/cli-results-many-large.json'));
    const groups = new Map<string, Set<string>>();
    for (const finding of findingsOf(document ?? {}, 'kubescape-cli')) {
      const { kind, name, namespace } = finding.resource;
      const what = groups.get(nameOf(finding)) ?? new Set();
      groups.set(nameOf(finding), what.add(`${finding.rule} ${kind}/${namespace}/${name}`));
    }
    assert.deepEqual(
      [...groups.values()].filter((what) => what.size > 1).map((what) => [...what]),
      [],
    );
  });

  test('results in ConfigMaps are those of the files', async () => {
    for (const file of readdirSync(join(folder, 'configmaps'))) {
      const { metadata, data } = JSON.parse(readFileSync(join(folder, 'configmaps', file), 'utf8'));
      const [[key, text]] = Object.entries(data) as [[string, string]];
      const carrier = {
        namespace: metadata.namespace,
        name: metadata.name,
        key,
        labels: metadata.labels,
        annotations: {},
      };
      const document: RawDocument = JSON.parse(text);
      const readings = recognise(document)?.read(document, { now: readAt, carrier }) ?? [];
      assert.ok(readings.length > 0, file);
      for (const { origin, partition, reportKey } of readings) {
        assert.deepEqual(origin, {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          name: metadata.name,
          namespace: metadata.namespace,
        });
        assert.equal(partition, metadata.namespace);
        assert.equal(reportKey[1], JSON.stringify([metadata.namespace, metadata.name, key]));
      }
    }
  });
});
