/** The roles of people in config/rbac, applied to the real server and used as somebody who has them (E6). */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { kubectlOutput } from '../cluster/kubectl.ts';
import { eventsPath } from '../support/crd.ts';
import { repositoryRoot } from '../support/repository.ts';
import { Rest } from '../support/rest.ts';
import { sampleEvent } from '../support/sample-event.ts';
import { Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';

const bindingGroup = 'rbac.authorization.k8s.io';
const reviews = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';

suite('roles of people', () => {
  let stage: Stage;
  let namespace: string;
  let other: string;
  const event = sampleEvent('roles');
  const path = () => `${eventsPath(namespace)}/${event.metadata.name}`;

  before(async () => {
    stage = await Stage.start({ controllerManager: true, crds: 'events' });
    await kubectlOutput(stage.controlPlane, ['apply', '-f', join(repositoryRoot, 'config/rbac')]);
    [namespace, other] = [await stage.namespace('team'), await stage.namespace('other')];
    await stage.must(201, 'POST', eventsPath(namespace), event);
  });
  after(() => stage?.stop());

  /** Somebody who has a ClusterRole in the namespace. */
  async function personWith(role: string): Promise<Rest> {
    const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
    await stage.must(201, 'POST', accounts, { metadata: { name: `with-${role}` } });
    await stage.must(201, 'POST', `/apis/${bindingGroup}/v1/namespaces/${namespace}/rolebindings`, {
      metadata: { name: role },
      roleRef: { apiGroup: bindingGroup, kind: 'ClusterRole', name: role },
      subjects: [{ kind: 'ServiceAccount', name: `with-${role}`, namespace }],
    });
    const { status } = await stage.must(201, 'POST', `${accounts}/with-${role}/token`, { spec: {} });
    const person = new Rest(stage.controlPlane, status.token);
    await until(`${role} to count`, async () => (await person.send('GET', eventsPath(namespace))).code === 200);
    return person;
  }

  async function allowed(person: Rest, verb: string, subresource = '', where = namespace): Promise<boolean> {
    const resourceAttributes = {
      group: 'zen.kube-zen.io',
      resource: 'zenagentevents',
      subresource,
      verb,
      namespace: where,
    };
    const { body } = await person.send('POST', reviews, { spec: { resourceAttributes } });
    return body['status'].allowed;
  }

  const cases = [
    ['zen-watcher-view', false],
    ['view', false],
    ['zen-watcher-triage', true],
    ['edit', true],
  ] as const;
  for (const [role, mayNote] of cases) {
    test(`${role} reads events${mayNote ? ' and notes things on them' : ''}, and makes or deletes none`, async () => {
      const person = await personWith(role);
      try {
        // Aggregated roles are filled in a moment later.
        await until('the roles to be joined', async () => (await allowed(person, 'patch')) === mayNote);
        for (const verb of ['get', 'list', 'watch']) assert.equal(await allowed(person, verb), true, verb);
        for (const verb of ['create', 'delete', 'deletecollection'])
          assert.equal(await allowed(person, verb), false, verb);
        assert.equal(await allowed(person, 'patch', 'status'), mayNote);
        assert.equal(await allowed(person, 'get', '', other), false);

        const note = await person.send('PATCH', path(), { metadata: { labels: { seen: role } } }, 'merge');
        assert.equal(note.code, mayNote ? 200 : 403);
        const synced = await person.send('PATCH', `${path()}/status`, { status: { synced: mayNote } }, 'merge');
        assert.equal(synced.code, mayNote ? 200 : 403);
        assert.equal((await person.send('DELETE', path())).code, 403);
        assert.equal((await person.send('POST', eventsPath(namespace), sampleEvent(`roles ${role}`))).code, 403);
      } finally {
        await person.close();
      }
    });
  }
});
