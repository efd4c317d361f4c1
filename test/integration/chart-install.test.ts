/** The chart, installed by helm on the real server with its controllers and its admission (R1, R2). More in test/chart. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { kubectlOutput } from '../cluster/kubectl.ts';
import * as chart from '../support/chart-install.ts';
import { exactInstall, Helm } from '../support/helm.ts';
import { sampleEvent } from '../support/sample-event.ts';
import { Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';

const { home } = chart;
const enforce = 'pod-security.kubernetes.io/enforce';

suite('the chart, installed', () => {
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

  test('the command of the README: admitted where the restricted standard is enforced; upgrade and uninstall keep the events', async () => {
    const notes = await helm.output(exactInstall);
    assert.match(notes, /SIGNATURES ARE NOT CHECKED here/);
    assert.equal((await chart.labelsOf(stage))[enforce], 'restricted');
    const pod = await chart.podAdmitted(stage);
    const volumes = pod['spec'].volumes.map(({ name }: { name: string }) => name);
    assert.match(volumes.join(), /config,kube-api-access-/);
    const refused = await stage.rest.send('POST', `/api/v1/namespaces/${home}/pods`, {
      metadata: { name: 'privileged' },
      spec: { containers: [{ name: 'x', image: 'x', securityContext: { privileged: true } }] },
    });
    assert.equal(refused.code, 403);
    assert.match(refused.message, /PodSecurity "restricted/);

    // Some other image with our account: only what the chart names may use it.
    const { spec, metadata } = pod;
    const { nodeName: _node, ...copied } = spec;
    const foreign = { ...copied, containers: [{ ...spec.containers[0], image: 'else.example/zen-watcher:0.1.0' }] };
    const body = { metadata: { generateName: 'foreign-', labels: metadata.labels }, spec: foreign };
    // A policy counts a moment after it was made.
    const answer = await until('the policy to count', async () => {
      const now = await stage.rest.send('POST', `/api/v1/namespaces/${home}/pods?dryRun=All`, body);
      return now.code === 201 ? undefined : now;
    });
    assert.match(answer.message, /the service account of zen-watcher is only for zubezen\/zen-watcher:/);

    await chart.eventMade(stage, sampleEvent('kept'));
    await kubectlOutput(stage.controlPlane, ['annotate', 'crd', chart.crdName, 'test=old', '--overwrite']);
    await helm.output(['upgrade', 'zen-watcher', exactInstall[2] ?? '', '--set', 'commonLabels.upgraded=yes']);
    const upgraded = await chart.crdOnServer(stage);
    assert.equal(upgraded?.metadata.labels?.['upgraded'], 'yes', 'the CRD is part of the upgrade');
    await helm.output(['uninstall', 'zen-watcher']);
    assert.ok(await chart.crdOnServer(stage));
    assert.equal((await stage.events(home)).length, 1);
    assert.deepEqual(await chart.leftovers(stage), []);
    // And again, over what was kept.
    await helm.output(exactInstall);
    assert.equal((await stage.events(home)).length, 1);
    await helm.output(['uninstall', 'zen-watcher']);
    await chart.swept(stage);
  });
});
