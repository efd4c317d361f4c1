/** docs/filters.md: each example is a valid configuration and does what its table says. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { parse } from 'yaml';
import type { Category, EventType, Severity } from '../../src/api/words.ts';
import { categories, eventTypes } from '../../src/api/words.ts';
import { ruleSettings } from '../../src/config/rules-schema.ts';
import { configSchema } from '../../src/config/schema.ts';
import { OwnerResolver } from '../../src/pipeline/identity.ts';
import { noPods } from '../../src/pipeline/owner.ts';
import { presetRules, presets } from '../../src/pipeline/presets.ts';
import { compileRules } from '../../src/pipeline/rules.ts';
import { sources } from '../../src/sources/registry.ts';
import { finding, start } from '../support/findings.ts';
import { repositoryRoot } from '../support/repository.ts';

const text = readFileSync(join(repositoryRoot, 'docs/filters.md'), 'utf8');
const examples = [...text.matchAll(/```yaml\n(.*?)```\n\n\| finding .*?\n\|[-|]*\n(.*?)\n\n/gs)].map(
  ([, yaml = '', rows = '']) => ({ yaml, rows: rows.split('\n') }),
);
const row = /^\| `(\S+) (\S+) (\S+) (\S+) (\S+)\/(\S+) (\S+)` \| (\S+) (\S+) \| `(.*)` \|$/;

suite('docs/filters.md', () => {
  test('every block of YAML has its table', () => {
    assert.equal(examples.length, [...text.matchAll(/```yaml/g)].length);
    assert.ok(examples.length >= 5);
  });

  for (const { yaml, rows } of examples) {
    for (const line of rows) {
      test(`${yaml.split('\n', 1)[0]} ${line}`, () => {
        const config = configSchema.parse(parse(yaml));
        const labelsOf = (name: string) => (name === 'shop' ? { team: 'blue', tier: 'web' } : {});
        const { judge } = compileRules(ruleSettings(config, sources), { now: start, labelsOf });
        const [, source = '', eventType, severity, rule = '', kind = '', name = '', namespace = '', ...said] =
          row.exec(line) ?? assert.fail(line);
        const one = finding(rule, {
          source,
          severity: severity as Severity,
          resource: { kind, name, ...(namespace === '-' ? {} : { namespace }) },
        });
        const verdict = judge({ ...one, eventType: eventType as EventType }, new OwnerResolver(noPods));
        assert.deepEqual([verdict.kind, verdict.severity, verdict.decidedBy], said);
      });
    }
  }

  test("the README's configuration is valid", () => {
    const readme = readFileSync(join(repositoryRoot, 'README.md'), 'utf8');
    const blocks = [...readme.matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml = '']) => configSchema.parse(parse(yaml)));
    assert.equal(blocks[0]?.filters.length, 1);
  });

  test('the table of presets is what they are', () => {
    for (const preset of presets) {
      const cells =
        text
          .split('\n')
          .find((line) => line.startsWith(`| \`${preset}\``))
          ?.split('|') ?? [];
      const [kept, vulnerability, checks, rest] = cells.slice(2).map((cell) => cell.trim());
      const { categories: own, thresholds } = presetRules[preset];
      assert.deepEqual(own, kept === 'all' ? categories : [kept as Category]);
      const header =
        text
          .split('\n')
          .find((line) => line.startsWith('| preset |'))
          ?.split('|')[4] ?? '';
      const checkTypes = header.split(',').map((word) => word.trim());
      for (const eventType of eventTypes) {
        const least = thresholds[eventType] ?? thresholds.default;
        const wanted = eventType === 'vulnerability' ? vulnerability : checkTypes.includes(eventType) ? checks : rest;
        assert.equal(least, wanted, `${preset} ${eventType}`);
      }
    }
  });
});
