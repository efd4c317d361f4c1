/** `audit` in the configuration: what it makes of the tables, and what is wrong with it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { parse } from 'yaml';
import { auditSettings } from '../../src/config/audit-schema.ts';
import { configuredSources } from '../../src/config/configured-sources.ts';
import { placeOf, wordsFor } from '../../src/config/problems.ts';
import { configSchema } from '../../src/config/schema.ts';
import { auditTables } from '../../src/sources/audit-settings.ts';
import { sources } from '../../src/sources/registry.ts';
import type { Asked } from '../support/audit-events.ts';
import { toldBy } from '../support/audit-events.ts';
import { repositoryRoot } from '../support/repository.ts';

const settingsOf = (audit: unknown) => {
  const config = configSchema.parse({ audit });
  return auditSettings(config.audit, config.events.namespace);
};

function problems(audit: unknown): string[] {
  const { error } = configSchema.safeParse({ audit }, { error: wordsFor });
  return (error?.issues ?? []).map(({ path, message }) => `${placeOf(path)}: ${message}`);
}

const read: Asked = { verb: 'get', resource: 'secrets', namespace: 'store', name: 'a' };
const forward: Asked = { verb: 'create', resource: 'pods/portforward', namespace: 'store', name: 'a', code: 101 };

suite('audit in the configuration', () => {
  test('the example of the documentation is valid and does what it says', () => {
    const page = readFileSync(join(repositoryRoot, 'docs/sources/audit.md'), 'utf8');
    const [, yaml = ''] = /```yaml\n(.*?)```/s.exec(page) ?? [];
    const { audit } = parse(yaml) as { audit: unknown };
    const settings = settingsOf(audit);
    assert.deepEqual(toldBy({ ...read, user: 'system:serviceaccount:argocd:server' }, settings), []);
    assert.deepEqual(toldBy({ ...read, user: 'alice' }, settings), ['secret-read']);
    assert.deepEqual(toldBy(forward, settings), []);
    assert.deepEqual(toldBy({ ...forward, namespace: 'payments' }, settings), ['port-forward']);
    assert.deepEqual(toldBy({ verb: 'create', resource: 'nodes/proxy', name: 'n' }, settings), ['node-proxy']);
    assert.deepEqual(toldBy({ ...read, code: 401 }, settings), []);
    const user = 'system:serviceaccount:ci:deployer';
    assert.deepEqual(toldBy({ ...read, verb: 'create', code: 201, user }, settings), []);
    assert.deepEqual(toldBy({ ...read, user }, settings), ['secret-read']);
  });

  test('without defaults there are only the own rows; the own account stays out', () => {
    const rules = [{ name: 'all', match: { verbs: ['get'] }, eventType: 'secret-access', severity: 'low' }];
    const settings = settingsOf({ defaults: false, rules });
    assert.deepEqual(
      auditTables(settings).rules.map(({ name, fold }) => [name, fold]),
      [['all', 'object']],
    );
    assert.deepEqual(toldBy({ ...read, user: 'system:node:n' }, settings), ['all']);
    assert.deepEqual(toldBy({ ...read, user: 'system:serviceaccount:zen-system:zen-watcher' }, settings), []);
    assert.deepEqual(toldBy({ resource: 'namespaces', name: 'gone' }, settings), []);
  });

  test('zen-watcher is the account in the namespace of its events, unless it is said', () => {
    const config = configSchema.parse({ events: { namespace: 'sec' } });
    assert.deepEqual(auditSettings(config.audit, 'sec').ownAccounts, ['system:serviceaccount:sec:zen-watcher']);
    assert.deepEqual(settingsOf({ ownAccounts: ['bot'] }).ownAccounts, ['bot']);
  });

  test('every kind of match', () => {
    const told = (match: unknown, asked: Asked) =>
      toldBy(asked, settingsOf({ defaults: false, rules: [{ name: 'x', match, eventType: 'exec', severity: 'low' }] }))
        .length === 1;
    assert.ok(told({ groups: ['*.example.org'] }, { resource: 'widgets.a.example.org' }));
    assert.ok(!told({ groups: [''] }, { resource: 'widgets.a.example.org' }));
    assert.ok(
      told({ resources: ['pods/*'] }, forward) &&
        !told({ resources: ['pods'] }, forward) &&
        told({ resources: ['*'] }, forward),
    );
    assert.ok(told({ namespaces: [''] }, { resource: 'nodes' }) && !told({ namespaces: [''] }, read));
    assert.ok(told({ names: ['a?'] }, { ...read, name: 'ab' }) && !told({ names: ['a?'] }, read));
    assert.ok(told({ userGroups: ['system:auth*'] }, read) && !told({ userGroups: ['system:masters'] }, read));
    assert.ok(told({ codes: ['400-499'] }, { ...read, code: 404 }) && !told({ codes: ['400-499'] }, read));
    assert.ok(told({ annotations: { 'a/b': 'x*' } }, { ...read, more: { annotations: { 'a/b': 'xy' } } }));
    assert.ok(
      !told({ annotations: { 'a/b': 'x*' } }, read) &&
        !told({ impersonated: true }, read) &&
        told({ impersonated: false }, read),
    );
    assert.ok(told({ paths: ['/logs*'] }, { verb: 'get', more: { objectRef: undefined, requestURI: '/logs/x?y' } }));
    const privileged = { ...read, verb: 'create', more: { requestObject: { spec: { hostPID: true } } } };
    assert.ok(told({ privileges: ['host-*'] }, privileged) && !told({ privileges: ['privileged'] }, privileged));
    assert.ok(
      told({ grants: ['everything'] }, { more: { requestObject: { rules: [{ verbs: ['*'], resources: ['*'] }] } } }),
    );
  });

  test('the configured source is the one that everybody gets', async () => {
    const config = configSchema.parse({ audit: { secretReaders: ['alice'] } });
    const all = await configuredSources(config, sources);
    assert.deepEqual(
      all.slice(0, sources.length).map(({ name }) => name),
      sources.map(({ name }) => name),
    );
    assert.notEqual(
      all.find(({ name }) => name === 'audit'),
      sources.find(({ name }) => name === 'audit'),
    );
  });

  test('all that is wrong is told at once, each with its place', () => {
    const rule = { name: 'x', match: { verbs: ['get'] }, eventType: 'exec', severity: 'low' };
    const found = problems({
      rules: [
        { ...rule, name: 'Big' },
        { ...rule, name: 'b', match: {} },
        {
          ...rule,
          name: 'c',
          match: { verbs: ['GET'], codes: [403], resources: [], users: 'alice', namespace: ['x'] },
        },
        { ...rule, name: 'd', eventType: 'vulnerability', severity: 'bad', fold: 'all' },
        { name: 'e' },
        { name: 'f', enabled: false, match: {} },
        rule,
        rule,
      ],
      exclusions: [{ name: 'y', match: { users: ['a'] }, rules: [] }],
      secretReaders: [''],
      ownAccounts: [],
      rule: [],
    });
    const places = found.map((problem) => problem.slice(0, problem.indexOf(': ')));
    for (const place of [
      ...[
        'audit.rules[0].name',
        'audit.rules[1].match',
        'audit.rules[2].match.verbs[0]',
        'audit.rules[2].match.codes[0]',
      ],
      ...[
        'audit.rules[2].match.resources',
        'audit.rules[2].match.users',
        'audit.rules[2].match',
        'audit.rules[3].eventType',
      ],
      ...[
        'audit.rules[3].severity',
        'audit.rules[3].fold',
        'audit.rules[4].match',
        'audit.rules[4].eventType',
        'audit.rules[5]',
      ],
      ...['audit.exclusions[0].rules', 'audit.secretReaders[0]', 'audit.ownAccounts', 'audit'],
    ]) {
      assert.ok(places.includes(place), `${place} is not among\n${found.join('\n')}`);
    }
    assert.deepEqual(problems({ rules: [rule, rule] }), ['audit.rules[1].name: is there twice']);
    assert.ok(
      found.every((problem) => !problem.endsWith('is not valid')),
      found.join('\n'),
    );
  });
});
