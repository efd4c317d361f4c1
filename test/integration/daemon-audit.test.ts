/**
 * The real kube-apiserver sends its audit log to the daemon, with the policy and the kubeconfig of examples/audit: each
 * matter of security becomes its event, routine none, and the API server has nothing to complain of (T4, I4).
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { after, before, suite, test } from 'node:test';
import type { StoredEvent } from '../../src/api/stored-event.ts';
import { kubectl, kubectlOutput } from '../cluster/kubectl.ts';
import type { AuditRelay } from '../support/audit-relay.ts';
import type { AuditStage } from '../support/audit-stage.ts';
import { auditToken, openAuditStage } from '../support/audit-stage.ts';
import { auditTraffic, routineReaders } from '../support/audit-traffic.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { assertBooksBalance, logged } from '../support/daemon.ts';
import type { StandInKubelet } from '../support/kubelet.ts';
import { startKubelet } from '../support/kubelet.ts';
import type { Home, Stage } from '../support/stage.ts';
import { quantile, until } from '../support/until.ts';

/** What is read of an audit event. */
interface AuditItem {
  readonly verb: string;
  readonly requestURI: string;
}

suite('daemon: the audit log of the API server', () => {
  let audited: AuditStage | undefined;
  let relay: AuditRelay;
  let kubelet: StandInKubelet | undefined;
  let stage: Stage;
  let home: Home;
  let daemon: TestDaemon | undefined;

  before(async () => {
    kubelet = await startKubelet();
    audited = await openAuditStage({
      controllerManager: true,
      apiServerFlags: [
        '--audit-webhook-batch-max-wait=300ms',
        '--audit-webhook-initial-backoff=1s',
        '--kubelet-preferred-address-types=InternalIP',
      ],
    });
    ({ stage, relay } = audited);
    home = await stage.home('events');
    daemon = await stage.daemon(home, {
      timing: { signalStepsMs: [200] },
      config: {
        webhooks: { host: '127.0.0.1', port: 0, routes: { audit: { tokenFiles: [audited.tokenFile] } } },
        audit: { secretReaders: routineReaders },
      },
    });
  });
  after(async () => {
    await Promise.all([audited?.close(), kubelet?.close()]);
  });

  /** Until what was asked for so far has been sent on. `mark`: a word that is in no other request. */
  async function delivered(mark: string): Promise<void> {
    await stage.rest.send('GET', `/api/v1/namespaces/default/configmaps/${mark}`);
    await until(`${mark} to be sent on`, () => relay.hasSeen(mark) || relay.refusals.length > 0);
    assert.deepEqual(relay.refusals, []);
  }

  /** The events, but those of the controller manager, which here is the admin and makes tokens whenever it likes. */
  async function askedFor(): Promise<StoredEvent[]> {
    const events = await stage.events(home.namespace);
    return events.filter(({ spec }) => spec.details?.['rule'] !== 'service-account-token');
  }

  /** A session as kubectl opened it before it learned WebSockets. */
  async function execBySpdy(namespace: string, pod: string): Promise<number | undefined> {
    const { server, caPath, adminToken } = stage.controlPlane;
    return new Promise((resolve, reject) => {
      const query = 'command=login&command=hunter2&container=web&stdout=true';
      const session = request(`${server}/api/v1/namespaces/${namespace}/pods/${pod}/exec?${query}`, {
        method: 'POST',
        ca: readFileSync(caPath),
        headers: {
          authorization: `Bearer ${adminToken}`,
          connection: 'Upgrade',
          upgrade: 'SPDY/3.1',
          'x-stream-protocol-version': 'v4.channel.k8s.io',
        },
      });
      session.on('upgrade', (answer, socket) => {
        socket.destroy();
        resolve(answer.statusCode);
      });
      session.on('response', (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      session.on('error', reject).end();
    });
  }

  /** A Pod on the stand-in's node, privileged, and one that runs nowhere. */
  async function makePods(namespace: string): Promise<void> {
    await stage.must(201, 'POST', '/api/v1/nodes', { metadata: { name: 'node-1' } });
    const status = {
      addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
      daemonEndpoints: { kubeletEndpoint: { Port: kubelet?.port } },
    };
    await stage.must(200, 'PATCH', '/api/v1/nodes/node-1/status', { status }, 'merge');
    const pod = (name: string, spec: unknown) =>
      stage.must(201, 'POST', `/api/v1/namespaces/${namespace}/pods`, { metadata: { name }, spec });
    const web = {
      name: 'web',
      image: 'registry.example.org/acme/shop:1',
      env: [{ name: 'PASSWORD', value: 'hunter2' }],
    };
    await pod('ledger', { nodeName: 'node-1', containers: [{ ...web, securityContext: { privileged: true } }] });
    await pod('pending', { containers: [web] });
  }

  test('each matter of security becomes its event, routine none', async (t) => {
    assert.ok(daemon !== undefined);
    const { port } = await logged(daemon, 'webhooks are served');
    const team = await stage.namespaceForPods('team');
    const gone = await stage.namespaceForPods('gone');
    await delivered('marks-before');
    relay.sendTo(Number(port));

    const { controlPlane } = stage;
    await makePods(team);
    const data = { password: Buffer.from('hunter2').toString('base64') };
    await stage.must(201, 'POST', `/api/v1/namespaces/${team}/secrets`, { metadata: { name: 'shop' }, data });
    const [, bySpdy] = await Promise.all([
      kubectlOutput(controlPlane, [
        'create',
        'clusterrolebinding',
        'everything',
        '--clusterrole=cluster-admin',
        '--user=bob',
      ]),
      execBySpdy(team, 'ledger'),
      kubectl(controlPlane, ['exec', '-n', team, 'ledger', '--', 'login', 'hunter2']),
      kubectl(controlPlane, ['exec', '-n', team, 'pending', '--', 'login', 'hunter2']),
      kubectlOutput(controlPlane, ['get', 'secret', 'shop', '-n', team, '-o', 'name']),
      kubectlOutput(controlPlane, ['get', 'pods', '-n', team, '--as=carol', '--as-group=system:masters', '-o', 'name']),
      kubectl(controlPlane, ['get', 'nodes'], { token: controlPlane.restrictedToken }),
      kubectlOutput(controlPlane, ['delete', 'namespace', gone, '--wait=false']),
    ]);
    assert.equal(bySpdy, 101);
    assert.ok(
      kubelet !== undefined && kubelet.sessions() >= 2,
      `only ${kubelet?.sessions()} sessions reached the kubelet`,
    );
    // The namespace controller's work is routine, and a good deal of it.
    await until(
      `${gone} to be gone`,
      async () => (await stage.rest.send('GET', `/api/v1/namespaces/${gone}`)).code === 404,
    );
    await delivered('marks-after');

    const expected = [
      `access-denied denied low Cluster/cluster zen-test`,
      `exec exec high Pod/ledger admin`,
      `exec session-failed low Pod/pending admin`,
      `impersonation impersonation medium User/admin admin`,
      `privileged-pod-creation privileged-pod high Pod/ledger -`,
      `rbac-change rbac-escalation critical ClusterRoleBinding/everything admin`,
      `resource-deletion namespace-deletion high Namespace/${gone} admin`,
      `secret-access secret-read medium Namespace/${team} admin`,
      `secret-access secret-write medium Secret/shop admin`,
    ];
    // Batches are sent several at a time: an earlier one may come later.
    const found = await until('all events', async () => {
      const events = await askedFor();
      return events.length >= expected.length ? events : undefined;
    });
    const words = found.map(({ spec }) =>
      [spec.eventType, spec.details?.['rule'], spec.severity, spec.subject, spec.details?.['user'] ?? '-'].join(' '),
    );
    assert.deepEqual(words.sort(), expected);
    assert.ok(!JSON.stringify(found).includes('hunter2') && !JSON.stringify(found).includes(data.password));

    // What it did itself, and what was asked about its events, makes no events, however often it is told.
    await delivered('marks-later');
    assert.equal((await askedFor()).length, expected.length);
    // kubectl speaks WebSockets, older clients SPDY: two verbs, one event.
    const sessions = relay.bodies.flatMap((body) => (JSON.parse(body) as { items: AuditItem[] }).items);
    const verbs = sessions.filter(({ requestURI }) => requestURI.includes('/ledger/exec')).map(({ verb }) => verb);
    assert.deepEqual([...new Set(verbs)].sort(), ['create', 'get']);
    const { message: metrics } = await stage.rest.send('GET', '/metrics');
    const errors = metrics
      .split('\n')
      .filter((line) => /^apiserver_audit_(?:error_total|requests_rejected_total)[{ ]/.test(line));
    assert.ok(metrics.includes('apiserver_audit_event_total'));
    assert.deepEqual(
      errors.filter((line) => !line.endsWith(' 0')),
      [],
    );
    assert.deepEqual(relay.refusals, []);
    const p99 = quantile(relay.answeredMs, 0.99).toFixed(0);
    t.diagnostic(`${relay.answeredMs.length} batches answered, p99 ${p99} ms`);
    await assertBooksBalance(daemon);
  });

  test('a batch with a bad item, and one that comes again', async () => {
    assert.ok(daemon !== undefined);
    const { port } = await logged(daemon, 'webhooks are served');
    const sent = relay.bodies.find((body) => body.includes('/ledger/exec')) ?? '';
    const batch = JSON.parse(sent) as { items: unknown[] };
    const post = (body: unknown, bearer = auditToken) =>
      fetch(`http://127.0.0.1:${port}/audit/webhook`, {
        method: 'POST',
        headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    const [before, events] = [await assertBooksBalance(daemon), await askedFor()];
    assert.equal((await post({ ...batch, items: [null, { stage: 7 }, ...batch.items] })).status, 200);
    assert.equal((await post(batch)).status, 200);
    assert.equal((await post(batch, 'another')).status, 401);
    const now = await assertBooksBalance(daemon);
    const grown = (name: string, labels = {}) => now.value(name, labels) - before.value(name, labels);
    assert.equal(grown('zen_watcher_findings_rejected_total'), 2);
    assert.ok(grown('zen_watcher_findings_settled_total', { account: 'unchanged' }) >= 2);
    const counts = (of: typeof events) => of.map(({ metadata, status }) => [metadata.name, status?.count]);
    assert.deepEqual(counts(await askedFor()), counts(events));
  });

  test('matters among traffic: each its event, counted as the log file has them, routine none, nothing dropped', async (t) => {
    assert.ok(daemon !== undefined);
    const running = daemon;
    const place = { stage, relay, home, daemon: running, finish: async () => void (await assertBooksBalance(running)) };
    const figures = await auditTraffic(place, { seconds: 1, connections: 4, matters: 5 }, (end) => t.after(end));
    t.diagnostic(JSON.stringify(figures));
  });
});
