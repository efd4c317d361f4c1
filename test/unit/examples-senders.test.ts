/** The examples for senders are valid YAML, and say what the documentation says of them. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { parse } from 'yaml';
import { audit } from '../../src/sources/audit.ts';
import { falco } from '../../src/sources/falco.ts';
import { repositoryRoot } from '../support/repository.ts';

const files = globSync('examples/{audit,falco}/*.yaml', { cwd: repositoryRoot });
const documentOf = (file: string): unknown => parse(readFileSync(join(repositoryRoot, file), 'utf8'));
const pages = ['falco', 'kube-apiserver', 'managed-clusters'].map((name) =>
  readFileSync(join(repositoryRoot, `docs/senders/${name}.md`), 'utf8'),
);

suite('examples for senders', () => {
  test('are YAML, and each is linked to', () => {
    assert.ok(files.length >= 8);
    for (const file of files) {
      assert.equal(typeof documentOf(file), 'object', file);
      assert.ok(
        pages.some((page) => page.includes(`(../../${file})`)),
        `no page links to ${file}`,
      );
    }
  });

  test('send to the routes that there are', () => {
    const routes = { audit: audit.webhook?.path ?? '', falco: falco.webhook?.path ?? '' };
    for (const file of files) {
      const text = readFileSync(join(repositoryRoot, file), 'utf8');
      for (const [, path = ''] of text.matchAll(/:8081(\/[^\s'"]*)/g)) {
        assert.ok(path.startsWith(file.startsWith('examples/audit') ? routes.audit : routes.falco), `${file}: ${path}`);
      }
    }
  });

  test('the policy records no body of what holds secrets, and no beginning of requests', () => {
    const policy = documentOf('examples/audit/policy.yaml') as {
      readonly omitStages: readonly string[];
      readonly rules: readonly {
        readonly level: string;
        readonly resources?: readonly { readonly group: string; readonly resources: readonly string[] }[];
      }[];
    };
    assert.deepEqual(policy.omitStages, ['RequestReceived']);
    const levelOf = (resource: string) =>
      policy.rules.find(({ resources }) =>
        resources?.some((one) => one.group === '' && one.resources.includes(resource)),
      )?.level;
    for (const resource of ['secrets', 'configmaps', 'serviceaccounts/token'])
      assert.equal(levelOf(resource), 'Metadata');
    assert.equal(levelOf('pods'), 'Request');
    assert.ok(!policy.rules.some(({ level }) => level === 'RequestResponse'));
    assert.deepEqual(policy.rules.at(-1), { level: 'Metadata' });
  });
});
