/** E5 over every fixture with its texts replaced by monsters: each event is valid, small, clean, masked and always the same. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { ZenAgentEvent } from '../../src/api/event.ts';
import { limits, specSchema } from '../../src/api/schema.ts';
import { buildEvent } from '../../src/pipeline/event-builder.ts';
import { identify, OwnerResolver, reportKeyHash } from '../../src/pipeline/identity.ts';
import { noPods } from '../../src/pipeline/owner.ts';
import { formats } from '../../src/sources/registry.ts';
import type { Format, RawDocument } from '../../src/sources/source.ts';
import { MalformedReport } from '../../src/sources/source.ts';
import { forbiddenCharacters, monsterOf, monsters, secretRun, textsIn } from '../support/monsters.ts';
import { openFixtures, readAt, reportsIn } from '../support/reports.ts';
import { repositoryRoot } from '../support/repository.ts';
import { schemaProblems } from '../support/schema-check.ts';

/** More of one report are more of the same. */
const findingsAReading = 20;

/** All that a format makes of a document, up to that; none where it refuses it. */
function eventsOf(format: Format, document: RawDocument): ZenAgentEvent[] {
  try {
    return format.read(document, { now: readAt }).flatMap(({ findings, reportKey, origin }) => {
      const owners = new OwnerResolver(noPods);
      const key = reportKeyHash(reportKey, owners);
      return findings.slice(0, findingsAReading).map((finding) => {
        const identity = identify(finding, owners);
        const parts = { finding, identity, resource: owners.resolve(finding.resource), reportKey: key, origin };
        return buildEvent(parts, { namespace: 'zen-system', detectedAt: readAt, cluster: 'test' });
      });
    });
  } catch (error) {
    assert.ok(error instanceof MalformedReport, `threw ${error}`);
    return [];
  }
}

function assertHarmless(event: ZenAgentEvent): void {
  const body = JSON.stringify(event);
  assert.ok(Buffer.byteLength(body) <= limits.eventBytes, `${Buffer.byteLength(body)} bytes`);
  assert.deepEqual(schemaProblems(specSchema, event.spec), []);
  for (const text of textsIn(event)) {
    assert.doesNotMatch(text, forbiddenCharacters);
    assert.ok(!text.includes(secretRun), `a secret is told: ${text.slice(0, 200)}`);
  }
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ya?ml|json)$/.test(entry.name) && !entry.name.endsWith('.expected.json'))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Which texts of a document are replaced: all, or every third from each of three places. */
const parts: readonly ((at: number) => boolean)[] = [
  () => true,
  ...[0, 1, 2].map((rest) => (at: number) => at % 3 === rest),
];
const documentsAFile = 1;
const filesAMonster = 6;

suite('monsters', () => {
  const folders = [join(repositoryRoot, 'test/fixtures'), openFixtures()];
  for (const [at, folder] of folders.entries()) {
    const name = at === 0 ? 'our fixtures' : 'real reports';
    test(name, { skip: folder === undefined ? 'there are none beside the project' : false }, async (t) => {
      let built = 0;
      let largest = 0;
      const understood = new Set<string>();
      for (const [fileAt, file] of filesIn(folder ?? '').entries()) {
        const documents = await reportsIn(file).catch(() => []);
        for (const document of documents.slice(0, documentsAFile)) {
          for (const format of formats().filter((one) => one.recognise(document))) {
            for (const [monsterAt, monster] of monsters.entries()) {
              // Of the real reports there are many: each monster meets some of them.
              if (at === 1 && (monsterAt + fileAt) % filesAMonster !== 0) continue;
              // All texts at once, and one third of them, another one for the next monster.
              for (const partAt of [0, 1 + (monsterAt % 3)]) {
                const hostile = monsterOf(document, monster, parts[partAt] ?? (() => true));
                const events = eventsOf(format, hostile);
                for (const event of events) assertHarmless(event);
                if (partAt === 0) assert.deepEqual(eventsOf(format, structuredClone(hostile)), events);
                built += events.length;
                largest = Math.max(largest, ...events.map((event) => Buffer.byteLength(JSON.stringify(event))));
                if (events.length > 0) understood.add(format.name);
              }
            }
          }
        }
      }
      t.diagnostic(`${built} events of ${[...understood].join(', ')}; the largest has ${largest} bytes`);
      assert.ok(built > 1000);
      if (at === 0)
        assert.deepEqual(
          [...understood].sort(),
          formats()
            .map((one) => one.name)
            .sort(),
        );
    });
  }
});
