/**
 * Least privilege both ways (R3): a daemon with the chart's service account meets every kind that it reads. The audit log
 * has no request of it that was refused, and every right of the rendered roles was used. And the admission policy (R5).
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { RoleRule } from '../../src/api/roles.ts';
import { asDaemon, eventMade, home } from '../support/chart-install.ts';
import { eventsPath } from '../support/crd.ts';
import { assertBooksBalance, ready, type TestDaemon } from '../support/daemon.ts';
import { defineAll, reportAll, warnAll } from '../support/every-source.ts';
import { exactInstall, Helm, objectsIn } from '../support/helm.ts';
import { Rest, type RestAnswer } from '../support/rest.ts';
import { requestsOf, rightsOf, wrongRights } from '../support/rights.ts';
import { sampleEvent } from '../support/sample-event.ts';
import { Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';
import { putReport, vulnerabilityReport } from '../support/vulnerability-reports.ts';

const rbac = '/apis/rbac.authorization.k8s.io/v1';
const user = `system:serviceaccount:${home}:zen-watcher`;

suite('rights of the chart', () => {
  let stage: Stage;
  let helm: Helm;
  let daemon: TestDaemon;

  before(async () => {
    // Without streaming lists, so that list is used as well as watch, as on servers that have none.
    const apiServerFlags = ['--feature-gates=WatchList=false'];
    stage = await Stage.start({ controllerManager: true, apiServerFlags });
    helm = await Helm.on(stage.controlPlane);
    await Promise.all([helm.output(exactInstall), defineAll(stage)]);
  });
  after(async () => {
    helm?.stop();
    await stage?.stop();
  });

  const requests = () => requestsOf(stage.controlPlane.auditLogPath ?? '', user);
  const rolesOnServer = async (): Promise<RoleRule[]> => {
    const everywhere = await stage.must(200, 'GET', `${rbac}/clusterroles/zen-watcher`);
    const here = await stage.must(200, 'GET', `${rbac}/namespaces/${home}/roles/zen-watcher`);
    return [...everywhere['rules'], ...here['rules']];
  };

  test('every request of the daemon is allowed, and every right is used', async (t) => {
    const { status } = await stage.must(201, 'POST', `/api/v1/namespaces/${home}/serviceaccounts/zen-watcher/token`, {
      spec: { expirationSeconds: 7200 },
    });
    const account = { token: status.token, user, role: 'zen-watcher' };
    const file = await stage.must(200, 'GET', `/api/v1/namespaces/${home}/configmaps/zen-watcher`);
    const [installed] = objectsIn(file['data']['config.yaml']);
    daemon = await stage.daemon(
      { namespace: home, account },
      {
        queue: { items: 2 },
        // The chart says nothing of a source that is on, and daemons of tests have this one off.
        config: {
          ...installed,
          sources: { 'kubernetes-events': { enabled: true }, ...installed?.['sources'] },
          budget: { resolvedTtlHours: 0.0001 },
        },
        timing: { sweepMs: 300 },
      },
    );
    await ready(daemon);
    await reportAll(stage);
    const team = await stage.namespace('team');
    const report = (severity: string, ...ids: readonly string[]) =>
      vulnerabilityReport({ namespace: team, workload: 'web', vulnerabilities: ids.map((id) => ({ id, severity })) });
    const rules = await rolesOnServer();
    // Events deleted by hand are made again from their reports, which are read again; warnings are more than the queue
    // takes; a finding gets worse, then it is fixed, and its event goes.
    let round = 0;
    await until('every right to be used', async () => {
      round += 1;
      await warnAll(stage, team, round);
      await putReport(stage, report('HIGH', 'CVE-2099-1', `CVE-2099-${round + 1}`));
      await until('the finding', async () => (await stage.events(home)).some(({ spec }) => spec.severity === 'high'));
      await putReport(stage, report('CRITICAL', 'CVE-2099-1'));
      await until('an event to be removed', async () => requests().some(({ right }) => right.startsWith('delete zen')));
      await stage.rest.send('DELETE', eventsPath(home));
      return wrongRights(rules, requests()).unused.length === 0;
    }).catch((error) => assert.deepEqual(wrongRights(rules, requests()).unused, [], error.message));
    assert.deepEqual(wrongRights(rules, requests()), { refused: [], unused: [] });
    t.diagnostic(`${rightsOf(rules).size} rights, ${requests().length} requests, ${round} rounds`);

    // Seen to fail both ways: a right that nothing uses, and one that was taken away.
    const more = [...rules, { apiGroups: [''], resources: ['secrets'], verbs: ['list'] }];
    assert.deepEqual(wrongRights(more, requests()), { refused: [], unused: ['list secrets'] });
    await assertBooksBalance(daemon);
    const role = `${rbac}/namespaces/${home}/roles/zen-watcher`;
    const granted = (await stage.must(200, 'GET', role))['rules'];
    await stage.must(200, 'PATCH', role, { rules: [] }, 'merge');
    await putReport(stage, report('LOW', 'CVE-2099-1'));
    await until('a refusal', async () => wrongRights(rules, requests()).refused.length > 0);
    await stage.end(daemon);
    await stage.must(200, 'PATCH', role, { rules: granted }, 'merge');
  });

  /** An account with every right that RBAC knows, in no group that may delete. */
  async function analyst(): Promise<Rest> {
    const accounts = `/api/v1/namespaces/default/serviceaccounts`;
    await stage.must(201, 'POST', accounts, { metadata: { name: 'analyst' } });
    await stage.must(201, 'POST', `${rbac}/clusterrolebindings`, {
      metadata: { name: 'analyst' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'ServiceAccount', name: 'analyst', namespace: 'default' }],
    });
    const { status } = await stage.must(201, 'POST', `${accounts}/analyst/token`, { spec: {} });
    return new Rest(stage.controlPlane, status.token);
  }

  test('events are open in labels, annotations and synced, and closed in spec and life cycle, whatever RBAC allows', async (t) => {
    const event = sampleEvent('policy');
    await eventMade(stage, event);
    const person = await analyst();
    const daemonRest = await asDaemon(stage);
    t.after(() => Promise.all([person.close(), daemonRest.close()]));
    const path = `${eventsPath(home)}/${event.metadata.name}`;
    const patch = (who: Rest, body: object, at = '') => who.send('PATCH', `${path}${at}`, body, 'merge');

    const note = { metadata: { annotations: { 'zen.kube-zen.io/muted-reason': 'known' }, labels: { seen: 'yes' } } };
    assert.equal((await patch(person, note)).code, 200);
    assert.equal((await patch(person, { status: { synced: true, saasEventId: 'x' } }, '/status')).code, 200);
    const refusals: [string, Promise<RestAnswer>, RegExp][] = [
      ['spec', patch(person, { spec: { severity: 'low' } }), /only zen-watcher changes the spec/],
      ['phase', patch(person, { status: { phase: 'Resolved' } }, '/status'), /only zen-watcher changes the life cycle/],
      ['count', patch(person, { status: { count: 9 } }, '/status'), /only zen-watcher changes the life cycle/],
      ['create', person.send('POST', eventsPath(home), sampleEvent('forged')), /only zen-watcher creates events/],
      ['delete', person.send('DELETE', path), /deleted by zen-watcher once it is Resolved/],
      ['delete by us', daemonRest.send('DELETE', path), /deleted by zen-watcher once it is Resolved/],
    ];
    for (const [what, answer, words] of refusals) {
      const { code, message } = await answer;
      assert.equal(code, 422, `${what}: ${message}`);
      assert.match(message, words, what);
    }
    // An event of an older version, without a fingerprint, is not ours: RBAC decides.
    const { fingerprint: _none, ...spec } = event.spec;
    const foreign = { ...event, metadata: { name: 'of-an-older-version' }, spec };
    assert.equal((await person.send('POST', eventsPath(home), foreign)).code, 201);
    const changed = { spec: { severity: 'low' } };
    assert.equal((await person.send('PATCH', `${eventsPath(home)}/of-an-older-version`, changed, 'merge')).code, 200);

    assert.equal((await patch(daemonRest, { status: { phase: 'Resolved', reason: 'fixed' } }, '/status')).code, 200);
    assert.equal((await daemonRest.send('DELETE', path)).code, 200);
  });

  test('a namespace is deleted with its Active events', async () => {
    await eventMade(stage, sampleEvent('active'));
    await stage.must(200, 'DELETE', `/api/v1/namespaces/${home}`);
    await until('the namespace to be gone', async () => {
      return (await stage.rest.send('GET', `/api/v1/namespaces/${home}`)).code === 404;
    });
  });
});
