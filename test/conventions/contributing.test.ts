/** The example in CONTRIBUTING.md is what a newcomer copies: it must load, read its format and give an event. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { identify, OwnerResolver } from '../../src/pipeline/identity.ts';
import { noPods } from '../../src/pipeline/owner.ts';
import type { Source } from '../../src/sources/source.ts';
import { MalformedReport } from '../../src/sources/source.ts';
import { repositoryRoot } from '../support/repository.ts';

// Inside the repository, so that its imports of packages and types are resolved as in src/sources.
const folder = mkdtempSync(join(repositoryRoot, 'src/sources/.example-'));
after(() => rmSync(folder, { recursive: true }));

test('the example source of CONTRIBUTING.md works as it stands', async () => {
  const code = /```ts\n(.*?)```/s.exec(readFileSync(join(repositoryRoot, 'CONTRIBUTING.md'), 'utf8'))?.[1] ?? '';
  const file = join(folder, 'example.ts');
  writeFileSync(file, code.replaceAll("'./", "'../").replaceAll("'../lib/", "'../../lib/"));
  const { example } = (await import(pathToFileURL(file).href)) as { example: Source };
  const format = example.intakes[0]?.format;
  assert.ok(format);
  const document = {
    apiVersion: 'scanner.example/v1',
    kind: 'ExampleReport',
    metadata: { name: 'one', namespace: 'shop' },
    workload: 'checkout',
    problems: [
      { level: 'urgent', check: 'EX-1', text: 'runs as root' },
      { level: 'odd', check: 'EX-2' },
    ],
  };
  assert.ok(format.recognise(document));
  const [reading] = format.read(document, { now: new Date() });
  assert.deepEqual(
    reading?.findings.map(({ severity, rule }) => [severity, rule]),
    [
      ['critical', 'EX-1'],
      ['unknown', 'EX-2'],
    ],
  );
  const names = reading?.findings.map((finding) => identify(finding, new OwnerResolver(noPods)).name);
  assert.equal(new Set(names).size, 2);
  assert.throws(() => format.read({ ...document, problems: 'none' }, { now: new Date() }), MalformedReport);
});
