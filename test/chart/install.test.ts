/** `npm run test:chart`: every way to install the chart, on the real server (R1). The README's own is in npm test. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { kubectl, kubectlOutput } from '../cluster/kubectl.ts';
import * as chart from '../support/chart-install.ts';
import { chartFolder, exactInstall, Helm } from '../support/helm.ts';
import { repositoryRoot } from '../support/repository.ts';
import { sampleEvent } from '../support/sample-event.ts';
import { Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';

const { home } = chart;
const enforce = 'pod-security.kubernetes.io/enforce';

suite('ways to install the chart', () => {
  let stage: Stage;
  let helm: Helm;

  before(async () => {
    stage = await Stage.start({ controllerManager: true, crds: 'none' });
    helm = await Helm.on(stage.controlPlane);
  });
  after(async () => {
    helm?.stop();
    await stage?.stop();
  });

  // Each test leaves nothing, so that the next finds nothing.
  test('--create-namespace with client-side apply, which cannot create what is there', async () => {
    await helm.output([...exactInstall, '-n', home, '--create-namespace', '--server-side=false']);
    await chart.podAdmitted(stage);
    const labelled = ['label', 'namespace', home, `${enforce}=restricted`];
    await kubectlOutput(stage.controlPlane, labelled);
    await helm.output(['upgrade', 'zen-watcher', exactInstall[2] ?? '', '-n', home]);
    assert.equal((await chart.labelsOf(stage))[enforce], 'restricted', 'the namespace is not ours to change');
    await helm.output(['uninstall', 'zen-watcher', '-n', home]);
    await chart.swept(stage);
  });

  test('namespace and CRD there beforehand: both are left as they are, and NOTES say what to do', async () => {
    await kubectlOutput(stage.controlPlane, ['create', 'namespace', home]);
    await kubectlOutput(stage.controlPlane, ['apply', '-f', join(repositoryRoot, 'crds')]);
    const notes = await helm.output(exactInstall);
    assert.match(notes, /kubectl label namespace zen-system pod-security/);
    assert.match(notes, /The CRD .* is not this release's/);
    await chart.podAdmitted(stage);
    assert.equal((await chart.labelsOf(stage))[enforce], undefined);
    await helm.output(['uninstall', 'zen-watcher']);
    assert.ok(await chart.crdOnServer(stage));
    await chart.swept(stage);
  });

  for (const apply of ['true', 'false']) {
    test(`namespace absent, no -n, --server-side=${apply}: made with its labels, kept at the end`, async () => {
      await helm.output([...exactInstall, `--server-side=${apply}`]);
      await chart.podAdmitted(stage);
      assert.equal((await chart.labelsOf(stage))[enforce], 'restricted');
      await helm.output(['upgrade', 'zen-watcher', chartFolder, '--set', 'podSecurityStandards.warn=baseline']);
      assert.equal((await chart.labelsOf(stage))['pod-security.kubernetes.io/warn'], 'baseline');
      await helm.output(['uninstall', 'zen-watcher']);
      assert.ok(await chart.labelsOf(stage));
      await chart.swept(stage);
    });
  }

  test('-n and --create-namespace of another name: the release is recorded there, the objects are in zen-system', async () => {
    await helm.output([...exactInstall, '-n', 'releases', '--create-namespace']);
    await chart.podAdmitted(stage);
    await helm.output(['uninstall', 'zen-watcher', '-n', 'releases']);
    await chart.swept(stage, [home, 'releases']);
  });

  test('--create-namespace with server-side apply', async () => {
    await helm.output([...exactInstall, '-n', home, '--create-namespace']);
    await chart.podAdmitted(stage);
    await helm.output(['upgrade', 'zen-watcher', chartFolder, '-n', home]);
    await helm.output(['uninstall', 'zen-watcher', '-n', home]);
    await chart.swept(stage);
  });

  test('-n zen-system without --create-namespace where it is absent: helm says so, and leaves nothing', async () => {
    const { code, stderr } = await helm.run([...exactInstall, '-n', home]);
    assert.equal(code, 1);
    assert.match(stderr, /namespaces "zen-system" not found/);
    assert.deepEqual(await chart.leftovers(stage), []);
    await chart.swept(stage);
  });

  test('a second release beside the first: shares the CRD, owns nothing of the other', async () => {
    await helm.output(exactInstall);
    await helm.output(['install', 'second', chartFolder, '--set', 'namespaceOverride=team-b']);
    await Promise.all([chart.podAdmitted(stage), chart.podAdmitted(stage, 'team-b')]);
    await helm.output(['uninstall', 'second']);
    const left = await chart.leftovers(stage);
    assert.ok(left.includes('clusterrole.rbac.authorization.k8s.io/zen-watcher'));
    assert.ok(!left.some((name) => name.includes('team-b')), left.join());
    await helm.output(['upgrade', 'zen-watcher', chartFolder]);
    await helm.output(['uninstall', 'zen-watcher']);
    assert.deepEqual(await chart.leftovers(stage), []);
    await chart.swept(stage, [home, 'team-b']);
  });

  test('crd.install=true takes over a CRD with --take-ownership, and says so without', async () => {
    await kubectlOutput(stage.controlPlane, ['apply', '-f', join(repositoryRoot, 'crds')]);
    const { stderr } = await helm.run([...exactInstall, '--set', 'crd.install=true']);
    assert.match(stderr, /cannot be imported into the current release/);
    await helm.output([
      ...exactInstall,
      '--set',
      'crd.install=true',
      '--take-ownership',
      '--force-conflicts',
      '--replace',
    ]);
    assert.equal((await chart.crdOnServer(stage))?.metadata.labels?.['app'], 'zen-watcher');
    await helm.output(['uninstall', 'zen-watcher']);
    assert.ok(await chart.crdOnServer(stage));
    await chart.swept(stage);
  });

  for (const args of [[], ['-n', home]]) {
    test(`helm template ${args.join(' ')} | kubectl apply -f -, twice`, async () => {
      const text = await helm.text({ image: { verifySignature: true }, networkPolicy: { enabled: true } }, args);
      await chart.applied(stage, text);
      await chart.podAdmitted(stage);
      assert.equal((await chart.labelsOf(stage))[enforce], 'restricted');
      await chart.applied(stage, text);
      await kubectl(stage.controlPlane, ['delete', '-f', '-', '--wait=false'], { input: text });
      await chart.swept(stage);
    });
  }

  test('a quota on events: what is beyond is refused, and the refusal names the quota', async () => {
    await helm.output([...exactInstall, '--set', 'resourceQuota.enabled=true', '--set', 'resourceQuota.events=2']);
    for (const name of ['one', 'two']) await chart.eventMade(stage, sampleEvent(name));
    const daemon = await chart.asDaemon(stage);
    const path = `/apis/zen.kube-zen.io/v1/namespaces/${home}/zenagentevents`;
    const { code, message } = await until('the quota to count', async () => {
      const answer = await daemon.send('POST', path, sampleEvent(`more-${Math.random()}`));
      return answer.code === 403 ? answer : undefined;
    });
    assert.equal(code, 403);
    assert.match(message, /exceeded quota: zen-watcher-events/);
    await daemon.close();
    await helm.output(['uninstall', 'zen-watcher']);
    await chart.swept(stage);
  });
});
