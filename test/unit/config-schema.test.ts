/** The published JSON Schema says of a configuration what the program says, and has words for every key. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { configJsonSchema, descriptionGaps, keysOf } from '../../src/config/json-schema.ts';
import { configSchema } from '../../src/config/schema.ts';
import { repositoryRoot } from '../support/repository.ts';

const published = JSON.parse(readFileSync(join(repositoryRoot, 'config/zen-watcher.schema.json'), 'utf8'));
const validate = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(published);

suite('the JSON Schema of the configuration', () => {
  test('has words for every key, and for no other', () => {
    assert.deepEqual(descriptionGaps(), { missing: [], unused: [] });
    assert.ok(keysOf(configJsonSchema(), '').length > 60);
  });

  test('accepts nothing, everything with its defaults, and the sample of the README', () => {
    const readme = readFileSync(join(repositoryRoot, 'README.md'), 'utf8');
    const [, sample = ''] = /```yaml\n(events:\n[\s\S]*?)```/.exec(readme) ?? [];
    for (const config of [{}, configSchema.parse({}), parse(sample)]) {
      assert.ok(validate(config), JSON.stringify(validate.errors));
      assert.ok(configSchema.safeParse(config).success);
    }
  });

  const wrong: readonly unknown[] = [
    { sauces: {} },
    { events: { namespace: 'No' } },
    { events: { placement: 'anywhere' } },
    { writes: { inFlight: 65 } },
    { writes: { inFlight: 1.5 } },
    { budget: { events: 99 } },
    { lifecycle: { unverifiedDays: 0 } },
    { filters: [{ namespace: 'x' }] },
    { filters: [{ action: 'exclude', namespace: [] }] },
    { mutes: [{ rule: 'x' }] },
    { thresholds: { default: 'unknown' } },
    { sources: { trivy: { enabled: 'yes' } } },
    { due: { critical: -1 } },
  ];
  for (const config of wrong) {
    test(`refuses ${JSON.stringify(config)}, as the program does`, () => {
      assert.equal(configSchema.safeParse(config).success, false);
      assert.equal(validate(config), false);
    });
  }
});
