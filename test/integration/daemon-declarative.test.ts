/** A source that only the configuration declares, on a real server: the JobFlow of examples/declarative (T10). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { parse } from 'yaml';
import { accessSettings } from '../../src/config/access.ts';
import { configuredSources } from '../../src/config/configured-sources.ts';
import { configSchema } from '../../src/config/schema.ts';
import { accessGrants } from '../../src/sources/rbac.ts';
import { sources } from '../../src/sources/registry.ts';
import { logged, ready, type TestDaemon } from '../support/daemon.ts';
import { repositoryRoot } from '../support/repository.ts';
import { definitionsIn, type Home, Stage, standInFolder } from '../support/stage.ts';
import { until } from '../support/until.ts';

const example = parse(readFileSync(join(repositoryRoot, 'examples/declarative/jobflow.yaml'), 'utf8'));
const config = example;

suite('daemon: a declared source', () => {
  let stage: Stage;
  let home: Home;
  let team: string;
  let daemon: TestDaemon;

  before(async () => {
    stage = await Stage.start({ crds: 'events' });
    await stage.define(...definitionsIn(join(standInFolder, 'declarative')));
    const settings = configSchema.parse(config);
    // As `zen-watcher rbac --config` prints them: there is a rule for JobFlows in them.
    const grants = accessGrants(accessSettings(settings, await configuredSources(settings, sources)));
    home = await stage.home('events', grants.find(({ namespace }) => namespace === undefined)?.rules ?? []);
    team = await stage.namespace('team');
    daemon = await stage.daemon(home, { config, timing: { discoveryMs: 300 } });
    await ready(daemon);
  });
  after(() => stage?.stop());

  const put = (name: string, status?: object) =>
    stage.apply(`/apis/workflow.kube-zen.io/v1alpha1/namespaces/${team}/jobflows/${name}`, {
      apiVersion: 'workflow.kube-zen.io/v1alpha1',
      kind: 'JobFlow',
      metadata: { name },
      spec: { steps: [{ name: 'collect' }, { name: 'settle' }] },
      ...(status === undefined ? {} : { status }),
    });
  const steps = [
    { name: 'collect', phase: 'Succeeded' },
    { name: 'settle', phase: 'Failed', message: 'Job settle-1 reached its backoff limit, password=hunter2hunter2' },
  ];

  test('a flow that fails is one event, while it runs again it stays, and when it succeeds it is fixed', async () => {
    await put('nightly');
    await put('nightly', { phase: 'Running' });
    await put('nightly', { phase: 'Failed', steps });
    const [event] = await until('the event', async () => {
      const events = await stage.events(home.namespace);
      return events.length > 0 ? events : undefined;
    });
    assert.ok(event);
    const { name } = event.metadata;
    assert.match(name, /^jobflow-[a-z2-7]{26}$/);
    const { source, severity, eventType, category, summary, resource, details } = event.spec;
    assert.deepEqual(
      [source, severity, eventType, category, summary],
      ['jobflow', 'medium', 'workflow-failed', 'operations', 'failed: settle'],
    );
    assert.deepEqual(resource, {
      apiVersion: 'workflow.kube-zen.io/v1alpha1',
      kind: 'JobFlow',
      name: 'nightly',
      namespace: team,
    });
    assert.deepEqual(details, {
      failedSteps: ['settle'],
      messages: ['settle: Job settle-1 reached its backoff limit, password=[masked]'],
    });

    await put('nightly', { phase: 'Running' });
    // A second flow fails after that: when its event is there, the first one's was decided on.
    await put('hourly', { phase: 'Failed', steps });
    await until('two events', async () => (await stage.events(home.namespace)).length === 2);
    const running = await stage.event(home.namespace, name);
    assert.deepEqual(
      [running?.status?.phase, running?.metadata.resourceVersion],
      ['Active', event.metadata.resourceVersion],
    );

    await put('nightly', { phase: 'Succeeded', steps: [steps[0]] });
    const fixed = await stage.eventWhen(home.namespace, name, 'Resolved', ({ status }) => status?.phase === 'Resolved');
    assert.equal(fixed.status?.reason, 'fixed');
  });

  test('a flow that the expressions cannot be asked about is rejected and said, and loses nothing else', async () => {
    await put('odd', { phase: 'Failed', steps: 'none' });
    const { cause, place, reason } = await logged(daemon, 'report rejected', { source: 'jobflow' });
    assert.deepEqual([cause, place], ['malformed', '.']);
    assert.match(String(reason), /^summary: .* at line 1, column \d+$/);
    await put('last', { phase: 'Failed', steps });
    await until('its event', async () =>
      (await stage.events(home.namespace)).some(({ spec }) => spec.resource?.name === 'last'),
    );
    await stage.endBalanced(daemon);
  });
});
