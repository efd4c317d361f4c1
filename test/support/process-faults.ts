/** Faults of processes, of the cluster's state and of the clock. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Component } from '../cluster/state.ts';
import type { ChaosFault, ChaosScene } from './chaos-run.ts';
import { crdFolder } from './crd.ts';
import { ready } from './daemon.ts';
import { makeRoom } from './etcd.ts';
import { leaderOf } from './replica-run.ts';
import { ReportChurn } from './report-churn.ts';
import { definitionsIn, standInFolder } from './stage.ts';
import { until } from './until.ts';
import { webhookPort } from './webhook-runs.ts';

/** A component of the control plane is killed and started again; reports rest meanwhile, webhooks do not. */
function killed(component: Component): ChaosFault['run'] {
  return async ({ world, load }, seconds) => {
    const resume = await load.pause();
    await world.stage.controlPlane.kill(component);
    await sleep(seconds * 1000);
    await world.stage.controlPlane.start();
    await world.served();
    resume();
    await sleep(2_000);
  };
}

/** The only daemon is killed; another one is started. */
async function daemonKilled({ world, load }: ChaosScene, seconds: number): Promise<void> {
  for (let time = 0; time < 3; time += 1) {
    assert.equal(await world.endDaemon(world.daemon, 'SIGKILL'), null);
    await sleep((seconds * 1000) / 3);
    const next = await world.startDaemon();
    await ready(next);
    load.sendTo(webhookPort(next));
    await sleep(500);
  }
}

async function daemonStopped({ world }: ChaosScene, seconds: number): Promise<void> {
  process.kill(world.daemon.pid, 'SIGSTOP');
  try {
    await sleep(seconds * 1000);
  } finally {
    process.kill(world.daemon.pid, 'SIGCONT');
  }
}

/** Webhooks go to the others, as a balancer would have it. */
async function leaderGone({ world, load }: ChaosScene, seconds: number, signal: 'SIGKILL' | 'SIGSTOP'): Promise<void> {
  const leader = await leaderOf(world.daemons);
  const others = world.daemons.filter((daemon) => daemon !== leader);
  const [other] = others;
  assert.ok(other, 'there is no other replica');
  load.sendTo(webhookPort(other));
  if (signal === 'SIGKILL') await world.endDaemon(leader, 'SIGKILL');
  else process.kill(leader.pid, 'SIGSTOP');
  try {
    await leaderOf(others);
    await sleep(seconds * 1000);
  } finally {
    if (signal === 'SIGSTOP') process.kill(leader.pid, 'SIGCONT');
  }
  if (signal === 'SIGKILL') await ready(await world.startDaemon());
  await leaderOf(world.daemons);
}

/** etcd takes no more writes until an operator has made room. */
async function etcdFull({ world, load }: ChaosScene, seconds: number): Promise<void> {
  const { stage } = world;
  const resume = await load.pause();
  const maps = `/api/v1/namespaces/${await stage.namespace('filler')}/configmaps`;
  const data = { filler: 'x'.repeat(900_000) };
  const isFull = async (index: number) => {
    const { code, message } = await stage.rest.send('POST', maps, { metadata: { name: `filler-${index}` }, data });
    assert.ok(code === 201 || /space exceeded/.test(message), message);
    return code !== 201;
  };
  for (let index = 0; !(await isFull(index)); index += 1) assert.ok(index < 500, 'etcd never is full');
  await sleep(seconds * 1000);
  await stage.must(200, 'DELETE', maps);
  await makeRoom(stage.controlPlane);
  await world.served();
  resume();
  await sleep(2_000);
}

async function toolCrdGone({ world, load }: ChaosScene, seconds: number): Promise<void> {
  const name = 'vulnerabilityreports.aquasecurity.github.io';
  const resume = await load.pause();
  await world.stage.undefine(name);
  await sleep(seconds * 1000);
  await world.stage.define(...definitionsIn(standInFolder, [name]));
  await load.publish();
  resume();
}

/** All events go with it. The reports bring theirs back; signals that are over are over. */
async function eventCrdGone({ world, load, forgetWrites }: ChaosScene, seconds: number): Promise<void> {
  const resume = await load.pause();
  const definitions = definitionsIn(crdFolder);
  for (const { metadata } of definitions) await world.stage.undefine(metadata.name);
  await sleep(seconds * 1000);
  load.forgetSignals();
  forgetWrites();
  await world.stage.define(...definitions);
  resume();
  await sleep(2_000);
}

/** A namespace with reports ends while they still change: its findings are over, and nothing of it is written again. */
async function namespaceGone({ world, random }: ChaosScene, seconds: number): Promise<void> {
  const { stage, home } = world;
  const namespace = await stage.namespace('doomed');
  const churn = new ReportChurn({ stage, namespace, random, each: 5, most: 5 });
  for (let count = 0; count < 4; count += 1) await churn.add();
  const eventsOf = async () =>
    (await stage.events(home.namespace)).filter(({ spec }) => spec.resource?.namespace === namespace);
  await until('its events', async () => (await eventsOf()).length === 20);
  await stage.must(200, 'DELETE', `/api/v1/namespaces/${namespace}`);
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(50)) await churn.step().catch(() => {});
  await until('its events to be over', async () => {
    const left = (await eventsOf()).filter(({ status }) => status?.phase === 'Active');
    return left.length === 0;
  });
}

/** The library that stands between a process and its clock (Debian's package faketime). */
export const fakeTimeLibrary = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1';
const offsets = ['+7200', '+0', '-3600', '+86400', '+0'];

/** The wall clock of the daemon jumps, its monotonic one does not: as an administrator or NTP does it. */
async function clockJumps({ world, load }: ChaosScene, seconds: number): Promise<void> {
  const file = join(world.stage.controlPlane.folder, 'faketime');
  const jump = (offset: string) => writeFileSync(file, `${offset}\n`);
  const restarted = async (wrapper: readonly string[] | undefined) => {
    await world.endDaemon(world.daemon);
    const daemon = await world.startDaemon(wrapper === undefined ? {} : { wrapper });
    await ready(daemon);
    load.sendTo(webhookPort(daemon));
  };
  jump('+0');
  const variables = {
    LD_PRELOAD: fakeTimeLibrary,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_CACHE_DURATION: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
  await restarted(['/usr/bin/env', ...Object.entries(variables).map(([name, value]) => `${name}=${value}`)]);
  for (const offset of offsets) {
    jump(offset);
    await sleep((seconds * 1000) / offsets.length + 1_000);
    // By the daemon's clock the time of signals is over.
    load.forgetSignals();
  }
  await sleep(2_000);
  load.forgetSignals();
  await restarted(undefined);
}

/** In the world of all faults, one after the other. */
export const processFaults: readonly ChaosFault[] = [
  { name: 'API server killed', run: killed('kube-apiserver') },
  { name: 'etcd killed', run: killed('etcd') },
  { name: 'daemon killed, three times', run: daemonKilled },
  { name: 'daemon stopped (SIGSTOP)', run: daemonStopped },
  { name: "the tool's CRD deleted and made again", run: toolCrdGone },
  { name: 'the CRD of the events deleted and made again', run: eventCrdGone },
  { name: 'a namespace deleted', run: namespaceGone },
];

export const clockFault: ChaosFault = { name: 'clock jumps', run: clockJumps };
/** In a world with a small etcd. */
export const fullEtcd: ChaosFault = { name: 'etcd full', run: etcdFull };
/** In a world with replicas. */
export const leaderFaults: readonly ChaosFault[] = [
  { name: 'leader killed', run: (scene, seconds) => leaderGone(scene, seconds, 'SIGKILL') },
  { name: 'leader stopped (SIGSTOP)', run: (scene, seconds) => leaderGone(scene, seconds, 'SIGSTOP') },
];
