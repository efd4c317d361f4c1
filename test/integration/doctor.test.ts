/** `zen-watcher doctor` and `kubectl zenevents` on a real server, healthy and with faults put in on purpose. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { Command } from 'commander';
import { type DoctorOptions, runDoctor } from '../../src/cli/doctor.ts';
import type { Check } from '../../src/cli/doctor-check.ts';
import { addZenEventCommands } from '../../src/cli/zenevents.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { ApiProxy } from '../support/api-proxy.ts';
import { Collector } from '../support/collector.ts';
import { crdFolder, eventsPath } from '../support/crd.ts';
import { linesOf, logged, ready, received } from '../support/daemon.ts';
import { changeRules, readRules } from '../support/daemon-account.ts';
import { definitionsIn, type Home, Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';
import { putReport, vulnerabilities, vulnerabilityReport } from '../support/vulnerability-reports.ts';
import { webhookPort } from '../support/webhook-runs.ts';
import { alert, WebhookSender } from '../support/webhook-sender.ts';

interface Schema {
  readonly openAPIV3Schema: {
    readonly properties: { readonly spec: { readonly properties: Record<string, unknown> } };
  };
}

const crdName = 'zenagentevents.zen.kube-zen.io';

suite('doctor and zenevents in a cluster', () => {
  let stage: Stage;
  let home: Home;
  let team: string;

  before(async () => {
    stage = await Stage.start();
    team = await stage.namespace('team');
    home = await stage.home('events');
  });
  after(() => stage?.stop());

  /** The kubeconfig of the daemon's account. */
  function kubeconfig(server = stage.controlPlane.server, token = home.account.token): string {
    const path = join(stage.controlPlane.folder, `kubeconfig-doctor-${randomUUID()}`);
    const cluster = { server, 'insecure-skip-tls-verify': true };
    const file = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'x', cluster }],
      users: [{ name: 'x', user: { token } }],
      contexts: [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
      'current-context': 'x',
    };
    writeFileSync(path, JSON.stringify(file), { mode: 0o600 });
    return path;
  }

  /** A control plane under load writes Warning Events of its own, with nothing in them that can be read. */
  function reportsOnly(): string {
    const path = join(stage.controlPlane.folder, 'doctor.yaml');
    writeFileSync(path, JSON.stringify({ sources: { 'kubernetes-events': { enabled: false } } }));
    return path;
  }

  async function examine(options: Partial<DoctorOptions> = {}, now = () => new Date()) {
    const stdout = new Collector();
    const code = await runDoctor(
      { output: 'json', kubeconfig: kubeconfig(), namespace: home.namespace, config: reportsOnly(), ...options },
      // Whatever runs on this machine is not asked.
      { stdout, environment: { METRICS_PORT: '1' }, clock: { ...systemClock, now }, version: 'test', useColor: false },
    );
    const checks = options.output === 'table' ? [] : (JSON.parse(stdout.text) as Check[]);
    const of = (name: string) => {
      const check = checks.find((each) => each.name === name);
      assert.ok(check, `there is no check ${name} in ${stdout.text}`);
      return check;
    };
    return { code, checks, of, text: stdout.text };
  }

  test('finds nothing wrong where nothing is', async () => {
    const daemon = await stage.daemon(home);
    await ready(daemon);
    // A server serves a new CRD before it publishes its schema.
    const { code, checks, of } = await until('the schema to be published', async () => {
      const result = await examine({ metricsUrl: `http://127.0.0.1:${daemon.port}/metrics` });
      return result.of('crd').says.includes('is not published (yet)') ? undefined : result;
    });
    const bad = checks.filter(({ status }) => status !== 'ok');
    assert.deepEqual([code, bad], [0, []]);
    assert.deepEqual(
      checks.map(({ name }) => name),
      'configuration server clock crd permissions tools reports budget freshness foreign daemon'.split(' '),
    );
    assert.match(of('crd').says, /is served, with the schema of this version$/);
    const account = `system:serviceaccount:${home.namespace}:zen-watcher`;
    assert.match(of('permissions').says, new RegExp(`^${account} may do all \\d+ things that are needed$`));
    await stage.endBalanced(daemon);
    const { text } = await examine({ output: 'table' });
    assert.match(text, /^skip {2}daemon +not looked at, since its \/metrics cannot be read: /m);
    assert.match(text, /^ok {4}server +Kubernetes 1\.\d+\.\d+, answers in \d+ ms$/m);
  });

  test('names the permission that is missing, with the resource and the fix', async () => {
    const without = readRules.filter(({ resources }) => !resources.includes('vulnerabilityreports'));
    await changeRules(stage.rest, home.account, without);
    const denied = await until('the permission to be gone', async () => {
      const result = await examine();
      const isSeen = ['permissions', 'tools'].every((name) => result.of(name).status === 'fail');
      return isSeen ? result : undefined;
    });
    const { status, details = [], fix } = denied.of('permissions');
    assert.equal(status, 'fail');
    assert.ok(
      details.some((line) => line.startsWith('list vulnerabilityreports.aquasecurity.github.io in the whole cluster')),
      details.join('\n'),
    );
    assert.match(
      fix ?? '',
      new RegExp(
        `^zen-watcher rbac --config \\S+doctor\\.yaml --namespace ${home.namespace} -o yaml \\| kubectl apply -f - `,
      ),
    );
    assert.equal(denied.of('reports').status, 'skip');
    assert.match(denied.of('reports').says, /; \d+ kinds could not be looked at$/);
    assert.match(denied.of('tools').details?.join('\n') ?? '', /vulnerabilityreports\.aquasecurity\.github\.io: 403/);
    // An admin asks for the account of the daemon.
    const account = { namespace: home.namespace, name: 'zen-watcher' };
    const asAdmin = await examine({ kubeconfig: stage.controlPlane.kubeconfigPath, serviceAccount: account });
    assert.equal(asAdmin.of('permissions').status, 'fail');
    assert.equal(asAdmin.of('tools').status, 'ok');
    await changeRules(stage.rest, home.account, readRules);
    await until('the permission to be back', async () => (await examine()).code === 0);
  });

  test('says that the token is wrong, or that nobody answers', async () => {
    const wrong = await examine({ kubeconfig: kubeconfig(undefined, 'nonsense') });
    assert.equal(wrong.code, 3);
    assert.match(wrong.of('server').says, /401/);
    assert.match(wrong.of('budget').says, /^not looked at: the server cannot be asked$/);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const nobody = await examine({ kubeconfig: kubeconfig(`https://127.0.0.1:${port}`) });
    assert.match(nobody.of('server').says, /ECONNREFUSED/);
  });

  test('sees a clock that is wrong', async () => {
    const { of } = await examine({}, () => new Date(Date.now() - 3_600_000));
    assert.match(of('clock').says, /^is 3(599|600|601) s behind the server$/);
  });

  test('names malformed reports, foreign events, and how full the budget is', async () => {
    const good = vulnerabilityReport({ namespace: team, workload: 'web', vulnerabilities: vulnerabilities(3) });
    const bad = { ...good, metadata: { ...good.metadata, name: 'broken' }, report: { vulnerabilities: 'none' } };
    await putReport(stage, good);
    await putReport(stage, bad as unknown as typeof good);
    const old = { source: 'trivy', category: 'security', severity: 'high', eventType: 'vulnerability' };
    await stage.must(201, 'POST', eventsPath(home.namespace), {
      apiVersion: 'zen.kube-zen.io/v1',
      kind: 'ZenAgentEvent',
      metadata: { name: 'of-an-older-version' },
      spec: old,
    });
    const daemon = await stage.daemon(home);
    await ready(daemon);
    await received(daemon, 4);
    await until('the events', async () => (await stage.events(home.namespace)).length === 4);
    const { code, of } = await examine();
    assert.equal(code, 0, 'none of it keeps the daemon from working');
    assert.deepEqual(of('reports').details, [
      `VulnerabilityReport ${team}/broken .report.vulnerabilities: expected a list, found text`,
    ]);
    assert.equal(linesOf(daemon, 'report rejected', { place: '.report.vulnerabilities' }).length, 1);
    assert.deepEqual(of('foreign').details, [`${home.namespace}/of-an-older-version`]);
    assert.match(of('budget').says, /^3 of 5000 events \(0 %\), 3 Active$/);
    await stage.endBalanced(daemon);
  });

  test('sees in the metrics of the daemon that writes are throttled and that a webhook refuses', async () => {
    const place = await stage.home('throttled');
    const tokens = join(stage.controlPlane.folder, `tokens-${randomUUID()}`);
    writeFileSync(tokens, 'the-token-of-this-month');
    const proxy = await ApiProxy.open(stage.controlPlane);
    proxy.refuse = ({ method, path }) =>
      method === 'POST' && path.includes('/zenagentevents')
        ? { code: 429, headers: { 'retry-after': '1' }, message: 'too many requests' }
        : undefined;
    const webhooks = { host: '127.0.0.1', port: 0, routes: { falco: { tokenFiles: [tokens] } } };
    const daemon = await stage.daemon(place, { config: { webhooks } }, proxy.url);
    try {
      await ready(daemon);
      const sender = new WebhookSender(webhookPort(daemon), '/falco/webhook', { token: 'the-token-of-last-month' });
      await sender.send(alert('Shell'));
      await sender.close();
      await logged(daemon, 'events cannot be written at the moment', { cause: 'throttled' });
      const told = await logged(daemon, 'requests to a webhook are refused');
      assert.deepEqual([told['reason'], told['sender']], ['the token is none of the configured ones', '127.0.0.1']);
      const { code, of } = await examine({
        namespace: place.namespace,
        kubeconfig: stage.controlPlane.kubeconfigPath,
        metricsUrl: `http://127.0.0.1:${daemon.port}/metrics`,
      });
      assert.equal(code, 3);
      const { status, details = [] } = of('daemon');
      assert.equal(status, 'fail');
      assert.match(details[0] ?? '', /^\/falco\/webhook: 1 of 1 requests were answered 401 .*WebhooksRejected\.md$/);
      assert.match(details[1] ?? '', /^writes were throttled \(429\) and tried again: \d+ times .*WriteFailures\.md$/);
    } finally {
      proxy.passAll();
      await stage.endBalanced(daemon);
      await proxy.close();
    }
  });

  test('tells a tool whose API is down from one that is not there, and an older CRD from ours', async () => {
    const [group, version] = ['spdx.softwarecomposition.kubescape.io', 'v1beta1'];
    const path = '/apis/apiregistration.k8s.io/v1/apiservices';
    await stage.must(201, 'POST', path, {
      metadata: { name: `${version}.${group}` },
      spec: {
        group,
        version,
        groupPriorityMinimum: 1000,
        versionPriority: 10,
        service: { namespace: team, name: 'nobody', port: 443 },
      },
    });
    const [ours] = definitionsIn(crdFolder);
    const older = structuredClone(ours) as unknown as { spec: { versions: [{ schema: Schema }] } };
    delete older.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties['origin'];
    await stage.apply(`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crdName}`, older);
    const seen = await until('both to be seen', async () => {
      const result = await examine();
      const isDown = result.of('tools').status === 'fail';
      return isDown && result.of('crd').status === 'warn' ? result : undefined;
    });
    const { details = [], fix } = seen.of('tools');
    assert.equal(
      details[0],
      `kubescape: vulnerabilitymanifests.${group}: the API behind ${group}/${version} does not answer`,
    );
    assert.ok(details.includes('kubescape: cannot be read'), details.join('\n'));
    assert.equal(fix, `kubectl describe apiservice ${version}.${group}`);
    assert.deepEqual(seen.of('crd').details, ['spec.origin: is missing in it']);
    assert.match(seen.of('crd').fix ?? '', /^kubectl apply --server-side -f crds\//);
    await stage.must(200, 'DELETE', `${path}/${version}.${group}`);
    await stage.define(...definitionsIn(crdFolder));
    await until('all to be well', async () => {
      const { of } = await examine();
      return of('tools').status === 'ok' && of('crd').status === 'ok';
    });
  });

  test('zenevents: summary, top and tail', async () => {
    const run = async (args: readonly string[], stopSignal: () => Promise<unknown> = () => new Promise(() => {})) => {
      const stdout = new Collector();
      const program = new Command('kubectl-zenevents').exitOverride();
      const io = { stdout, environment: {}, clock: systemClock, version: 'test', useColor: false, stopSignal };
      addZenEventCommands(program, io);
      const [command = '', ...rest] = args;
      const done = program.parseAsync([command, '--kubeconfig', kubeconfig(), '-n', home.namespace, ...rest], {
        from: 'user',
      });
      return { stdout, done };
    };
    const summary = await run(['summary']);
    await summary.done;
    assert.match(summary.stdout.text, /^SOURCE +CRITICAL +HIGH +MEDIUM +LOW +INFO +UNKNOWN +RESOLVED\ntrivy +0 +4 +0 /);
    const top = await run(['top', '--count', '2']);
    await top.done;
    assert.equal(top.stdout.text.trim().split('\n').length, 3);
    assert.match(top.stdout.text, /^NAME +SEVERITY +SOURCE +NAMESPACE +SUBJECT +SUMMARY +COUNT +SINCE$/m);

    let stop = () => {};
    const stopped = new Promise<void>((resolve) => {
      stop = resolve;
    });
    const tail = await run(['tail'], () => stopped);
    const event = {
      source: 'trivy',
      category: 'security',
      severity: 'low',
      eventType: 'vulnerability',
      summary: 'news',
    };
    let made = 0;
    await until('the news', async () => {
      made += 1;
      await stage.rest.send('POST', eventsPath(home.namespace), {
        apiVersion: 'zen.kube-zen.io/v1',
        kind: 'ZenAgentEvent',
        metadata: { name: `news-${made}` },
        spec: event,
      });
      return tail.stdout.text.includes('news');
    });
    stop();
    await tail.done;
    assert.match(tail.stdout.text, /^\S+Z {2}new {2}low {2}trivy {4}news$/m);
    assert.ok(!tail.stdout.text.includes('CVE-'), 'what was there before is no news');
  });

  test('says that the CRD is absent', async () => {
    await stage.undefine(crdName);
    // What is discovered follows a moment later.
    const { code, of } = await until('the CRD to be missed', async () => {
      const result = await examine();
      return result.of('crd').says === `${crdName} is not served` ? result : undefined;
    });
    assert.equal(code, 3);
    assert.match(of('crd').fix ?? '', /kubectl apply/);
    for (const name of ['budget', 'freshness', 'foreign']) {
      assert.deepEqual(
        [of(name).status, of(name).says],
        ['skip', 'not looked at: the CRD of the events is not served'],
      );
    }
  });
});
