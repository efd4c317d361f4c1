/**
 * Registry x fixtures: every format has the cases none, one, many and malformed in test/fixtures/<format>/, and beside
 * each what must come of it. `UPDATE_EXPECTED=1` writes what came; read the difference before you commit it.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { categories, eventTypes, severities, sourceNamePattern } from '../../src/api/words.ts';
import { formatsOf, resourceIntakes } from '../../src/sources/intakes.ts';
import { signalTest } from '../../src/sources/natures.ts';
import { recognise } from '../../src/sources/recognise.ts';
import { formats, sources } from '../../src/sources/registry.ts';
import type { Finding, RawDocument } from '../../src/sources/source.ts';
import { MalformedReport, rejectionReasons } from '../../src/sources/source.ts';
import { summaryWidth } from '../../src/sources/summary-width.ts';
import { caseFile, cases, eventsOf, fixturesFolder, withEntriesReversed } from '../support/format-cases.ts';
import { inWords, nameOf, openFixtures, readAt, reportsIn } from '../support/reports.ts';
import { repositoryRoot } from '../support/repository.ts';

const isUpdating = process.env['UPDATE_EXPECTED'] === '1';

/** All findings of a report; none of a malformed one. */
function findingsOf(document: RawDocument): readonly Finding[] {
  const format = recognise(document);
  assert.ok(format, 'no format recognises the document');
  try {
    return format.read(document, { now: readAt }).flatMap(({ findings }) => findings);
  } catch (error) {
    if (error instanceof MalformedReport) return [];
    throw error;
  }
}

suite('the registry', () => {
  test('has sources with names of their own', () => {
    const names = sources.map(({ name }) => name);
    assert.deepEqual(names, [...new Set(names)]);
    for (const word of sources.flatMap(({ name, emits }) => [name, ...emits])) {
      assert.match(word, new RegExp(sourceNamePattern));
    }
  });

  test('has formats with names of their own and a folder of fixtures each', () => {
    const names = formats().map(({ name }) => name);
    assert.deepEqual(names, [...new Set(names)]);
    const folders = readdirSync(fixturesFolder);
    assert.deepEqual(
      names.filter((name) => !folders.includes(name)),
      [],
    );
  });

  test('names every resource once', () => {
    const resources = sources.flatMap(resourceIntakes).map(({ group, resource }) => `${resource}.${group}`);
    assert.deepEqual(resources, [...new Set(resources)]);
  });

  for (const { name, severityWords, graceSeconds } of sources) {
    test(`${name} has a page of documentation, severity words in lower case and a grace`, () => {
      const page = name === 'policyreport' ? 'policy-report' : name;
      assert.ok(existsSync(join(repositoryRoot, `docs/sources/${page}.md`)));
      for (const word of Object.keys(severityWords)) assert.equal(word, word.toLowerCase());
      assert.ok(graceSeconds >= 30 * 60);
    });
  }
});

for (const source of sources) {
  for (const format of formatsOf(source)) {
    suite(`format ${format.name}`, () => {
      for (const name of cases) {
        test(name, async () => {
          const path = caseFile(format.name, name);
          const actual = (await reportsIn(path)).map((document) => {
            assert.equal(recognise(document), format);
            return inWords(format, document);
          });
          const expectedPath = path.replace(/\.\w+$/, '.expected.json');
          const text = `${JSON.stringify(actual, undefined, 2)}\n`;
          if (isUpdating) writeFileSync(expectedPath, text);
          assert.ok(
            existsSync(expectedPath),
            `no ${expectedPath} (UPDATE_EXPECTED=1 writes it); what comes is\n${text}`,
          );
          assert.deepEqual(actual, JSON.parse(readFileSync(expectedPath, 'utf8')));
        });
      }

      test('the cases are what their names say', async () => {
        const counts = await Promise.all(
          cases.map(async (name) => (await reportsIn(caseFile(format.name, name))).flatMap(findingsOf).length),
        );
        assert.equal(counts[0], 0);
        assert.equal(counts[1], 1);
        assert.ok((counts[2] ?? 0) > 1);
        const rejections = (await reportsIn(caseFile(format.name, 'malformed'))).map((document) => {
          try {
            return format.read(document, { now: readAt }).flatMap(({ rejected }) => rejected).length;
          } catch {
            return 1;
          }
        });
        assert.ok(rejections.every((count) => count > 0));
      });

      if (source.formats?.includes(format)) {
        test('what becomes of the case one is the example in the documentation', async () => {
          const page = readFileSync(join(repositoryRoot, `docs/sources/${source.name}.md`), 'utf8');
          for (const finding of (await reportsIn(caseFile(format.name, 'one'))).flatMap(findingsOf)) {
            assert.ok(page.includes(nameOf(finding)), `${nameOf(finding)} is not in the page`);
          }
        });
      }

      test('keeps to the words that its source declares, and to closed sets', async () => {
        for (const name of cases) {
          for (const finding of (await reportsIn(caseFile(format.name, name))).flatMap(findingsOf)) {
            const { eventType, category, severity } = finding;
            assert.ok(source.emits.includes(finding.source), finding.source);
            assert.ok(
              source.eventTypes.some((declared) => declared.eventType === eventType && declared.category === category),
              `${eventType} ${category} is not declared`,
            );
            assert.ok(severities.includes(severity) && categories.includes(category) && eventTypes.includes(eventType));
            const { title, summary } = finding.describe();
            assert.ok(title.trim() !== '' && summary.trim() !== '');
            assert.ok(summary.length <= summaryWidth(finding.source), `the table grows too wide: ${summary}`);
          }
        }
      });

      test('a reading is either of states or of signals, as its source declares', async () => {
        for (const name of cases) {
          for (const { eventType, source: word, nature } of (await reportsIn(caseFile(format.name, name))).flatMap(
            findingsOf,
          )) {
            assert.equal(nature.kind === 'signal', signalTest(sources)(word, eventType));
          }
        }
      });

      test('the order of the entries changes neither events nor report keys', async () => {
        for (const document of await reportsIn(caseFile(format.name, 'many'))) {
          assert.deepEqual(eventsOf(withEntriesReversed(document)), eventsOf(document));
        }
      });
    });
  }
}

interface Count {
  readonly total: number;
  readonly unit: 'findings' | 'entries';
  readonly by?: Readonly<Record<string, number>>;
}

/** Kinds that hold no findings. */
const holdsNone = /^trivy-operator\/sbomreport/;
/** Files in which several entries are one finding: how many findings there are, and why. */
const fewerFindings: Readonly<Record<string, readonly [number, string]>> = {
  'policyreport/kubearmor-adapter-list.yaml': [
    2,
    'two of the three results are the same policy, workload, container and process at different times',
  ],
  'policyreport/trivy-adapter-zipkin.yaml': [13, 'none: 13 of 14 results state a severity'],
  'k8s-events/eventlist-image-pull-fail.json': [
    3,
    'three are the image of one container, two the scheduling of one Pod',
  ],
  'k8s-events/eventlist-velero-67-large.json': [1, 'three Pods of one Deployment'],
};

/** Files without a count: how many findings there are. */
const countedByHand: Readonly<Record<string, Count>> = {
  // Kyverno says its violations in PolicyReports too; a Normal Event is none; the made-up one has the type "37".
  'k8s-events/kyverno-policy-violation.yaml': { unit: 'findings', total: 0, by: {} },
  'k8s-events/kyverno-message-exceeds-1024-characters.yaml': { unit: 'findings', total: 0, by: {} },
  'k8s-events/kyverno-success-event-actions.yaml': { unit: 'findings', total: 0, by: {} },
  'k8s-events/events.k8s.io-v1-fuzzed.json': { unit: 'findings', total: 0, by: {} },
};

/** Files whose severities were counted by the result's own field, while the rules also take the one in its properties. */
const severitiesInProperties: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  'policyreport/falco-adapter.yaml': { low: 1, medium: 1 },
  'openreports/falco-report-and-clusterreport.yaml': { low: 1, medium: 1 },
};

suite('real reports of the tools', () => {
  const folder = openFixtures();
  const tools = ['trivy-operator', 'policyreport', 'openreports', 'kubewarden', 'k8s-events'];
  if (folder === undefined) {
    test('are counted as by hand', (t) => t.skip('no folder of real reports: none of 29 files read (set ZEN_SHARED)'));
    return;
  }
  const counts: Readonly<Record<string, Count>> = JSON.parse(readFileSync(join(folder, 'counts.json'), 'utf8'));
  const files = tools
    .flatMap((tool) => readdirSync(join(folder, tool)).map((file) => `${tool}/${file}`))
    .filter((file) => !holdsNone.test(file));

  test('are there', () => {
    assert.ok(files.length >= 26, `only ${files.length} files`);
  });

  for (const file of files) {
    test(file, async () => {
      const documents = await reportsIn(join(folder, file));
      const findings = documents.flatMap(findingsOf);
      const count = counts[file] ?? countedByHand[file];
      assert.ok(count, 'not counted');
      // Lists of Events hold Normal ones too, which are counted as entries.
      const total = count.by?.['Warning'] ?? count.total;
      assert.equal(findings.length, total);
      const [distinct] = fewerFindings[file] ?? [total];
      assert.equal(new Set(findings.map(nameOf)).size, distinct);
      if (count.unit === 'findings') assert.deepEqual(bySeverity(findings), severitiesInProperties[file] ?? count.by);
      for (const document of documents) assert.deepEqual(eventsOf(withEntriesReversed(document)), eventsOf(document));
    });
  }
});

function bySeverity(findings: readonly Finding[]): Record<string, number> {
  const by: Record<string, number> = {};
  for (const { severity, sourceSeverity } of findings) {
    const word = sourceSeverity === undefined ? 'unstated' : severity;
    by[word] = (by[word] ?? 0) + 1;
  }
  return by;
}

test('reasons of rejections are a closed set', () => {
  assert.deepEqual(rejectionReasons, [...new Set(rejectionReasons)]);
});
