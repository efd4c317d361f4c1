/**
 * One history on a real control plane: does to cluster, network and daemon what the commands say, tells the model, and
 * compares whenever all has come to rest.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventsPath } from '../crd.ts';
import type { DaemonProcess } from '../daemon.ts';
import { ready, scrape } from '../daemon.ts';
import { assertBalanced } from '../metrics-text.ts';
import type { Home, Stage } from '../stage.ts';
import type { TcpGate } from '../tcp-gate.ts';
import { until } from '../until.ts';
import type { FindingId, Said, SeenEvent, Severity, Subject } from './cluster-model.ts';
import { ClusterModel } from './cluster-model.ts';
import { EventVersions } from './event-versions.ts';
import type { Command, History } from './histories.ts';
import { sizes } from './histories.ts';
import type { Noise } from './model-reports.ts';
import { collectionPath, reportPath, reportSaying } from './model-reports.ts';

export interface ClusterRunParts {
  readonly stage: Stage;
  /** In front of the stage's API server. */
  readonly gate: TcpGate;
  /** Where the program is, when not in this repository. */
  readonly root?: string | undefined;
}

const thresholds = {
  default: { trivy: 'high', kyverno: 'low' },
  everything: { trivy: 'info', kyverno: 'info' },
} as const;
const tools = ['trivy', 'kyverno'] as const;
/** Workload of the reports that show how far the daemon has read. */
const fence = 'fence';
/** Equality follows rest at once, but for a machine that is busy. */
const equalSeconds = 15;

export class ClusterRun {
  readonly #parts: ClusterRunParts;
  readonly #home: Home;
  readonly #subjects: readonly Subject[];
  readonly #thresholds: History['thresholds'];
  readonly #versions: EventVersions;
  readonly model: ClusterModel;
  #daemon: DaemonProcess | undefined;
  #wasDisturbed = false;
  /** Something happened since all came to rest. */
  #isStirred = true;
  /** Informers that are live when all is well. */
  #informers: readonly string[] = [];
  #serial = 0;
  #fences = 0;
  #auditedBefore = 0;

  private constructor(
    parts: ClusterRunParts,
    home: Home,
    teams: readonly string[],
    history: History,
    versions: EventVersions,
  ) {
    this.#parts = parts;
    this.#home = home;
    this.#thresholds = history.thresholds;
    this.#versions = versions;
    const [one = '', other = ''] = teams;
    this.#subjects = [
      { tool: 'trivy', namespace: one, workload: 'web' },
      { tool: 'kyverno', namespace: one, workload: 'web' },
      { tool: 'trivy', namespace: one, workload: 'shop' },
      { tool: 'trivy', namespace: other, workload: 'web' },
    ];
    assert.equal(this.#subjects.length, sizes.subjects);
    this.model = new ClusterModel(this.#subjects, thresholds[history.thresholds]);
  }

  /** Plays a history in namespaces of its own. Throws at the first thing that is not as it must be. */
  static async play(parts: ClusterRunParts, history: History): Promise<void> {
    const { stage, gate } = parts;
    const home = await stage.home('events');
    const teams = [await stage.namespace('team'), await stage.namespace('team')];
    const versions = await EventVersions.begin(stage.controlPlane, eventsPath(home.namespace));
    const run = new ClusterRun(parts, home, teams, history, versions);
    try {
      await run.#start();
      await run.#rest();
      for (const command of history.commands) await run.#do(command);
      await run.#finish();
    } finally {
      gate.reopen();
      await run.#end();
      await versions.end();
      for (const namespace of teams) {
        for (const tool of tools) await stage.must(200, 'DELETE', collectionPath(tool, namespace));
      }
    }
  }

  async #do(command: Command): Promise<void> {
    const { gate } = this.#parts;
    if (command.do === 'rest' && !this.#isStirred) return;
    this.#isStirred = true;
    switch (command.do) {
      case 'report': {
        const listed = command.listing.flatMap((severity, finding) =>
          severity === undefined ? [] : [[finding, severity] as const],
        );
        const severities = new Map<number, Severity>(command.shape === 'malformed' ? [] : listed);
        return this.#report(command.subject, command.slot, { shape: command.shape, severities }, command.noise);
      }
      case 'unreport':
        return this.#unreport(command.subject, command.slot);
      case 'rollout':
        return this.#rollOut(command.subject, command.first);
      case 'rescan':
        return this.#rescan(command.subject);
      case 'delete':
      case 'resolve':
      case 'acknowledge':
      case 'sync':
      case 'edit':
        return this.#byHand(command);
      case 'cut':
      case 'stall':
        this.#disturb();
        return command.do === 'cut' ? gate.shut() : gate.stall();
      case 'heal':
        return gate.reopen();
      case 'kill':
        await this.#end('SIGKILL');
        return;
      case 'start':
        return this.#start();
      case 'restart':
        await this.#end();
        return this.#start();
      case 'crash':
        return this.#crash();
      case 'pause':
        await sleep(command.ms);
        return;
      case 'rest':
        return this.#rest();
    }
  }

  async #report(subject: number, slot: number, said: Omit<Said, 'at'>, noise?: Noise): Promise<void> {
    const dated = { ...said, at: this.#now() };
    const { path, body } = reportSaying(this.#subject(subject), slot, dated, noise);
    await this.#parts.stage.apply(path, body);
    this.model.report(subject, slot, dated);
  }

  async #unreport(subject: number, slot: number): Promise<void> {
    if (this.model.said(subject, slot) === undefined) return;
    await this.#parts.stage.must(200, 'DELETE', reportPath(this.#subject(subject), slot));
    this.model.unreport(subject, slot);
  }

  async #rollOut(subject: number, first: 'new' | 'old'): Promise<void> {
    const old = [0, 1].find((slot) => this.model.said(subject, slot) !== undefined);
    const said = old === undefined ? undefined : this.model.said(subject, old);
    if (old === undefined || said === undefined || this.model.said(subject, 1 - old) !== undefined) return;
    if (first === 'old') await this.#unreport(subject, old);
    await this.#report(subject, 1 - old, said);
    if (first === 'new') await this.#unreport(subject, old);
  }

  async #rescan(subject: number): Promise<void> {
    for (let slot = 0; slot < sizes.slots; slot += 1) {
      const said = this.model.said(subject, slot);
      if (said !== undefined) await this.#report(subject, slot, said);
    }
  }

  async #byHand(command: Extract<Command, { event: FindingId }>): Promise<void> {
    const { stage } = this.#parts;
    const id = command.event;
    const events = await this.#events();
    const event = events.find((one) => {
      const found = this.model.findingOf(one);
      return found?.subject === id.subject && found.finding === id.finding;
    });
    if (event === undefined) return;
    const path = `${eventsPath(this.#home.namespace)}/${event.metadata.name}`;
    this.#serial += 1;
    const mark = `mark-${this.#serial}`;
    switch (command.do) {
      case 'delete':
        await stage.must(200, 'DELETE', path);
        return this.model.deletedByHand(id);
      case 'acknowledge': {
        const metadata = { labels: { 'team.example/seen': mark }, annotations: { 'team.example/seen': mark } };
        await stage.must(200, 'PATCH', path, { metadata }, 'merge');
        return this.model.acknowledged(id, metadata.labels);
      }
      case 'sync':
        await stage.must(200, 'PATCH', `${path}/status`, { status: { synced: true, saasEventId: mark } }, 'merge');
        return this.model.synced(id, mark);
      case 'resolve':
        // Of what is reported: what is not stays as somebody made it.
        if (!this.model.isHeld(id) || event.status?.phase !== 'Active') return;
        await stage.must(200, 'PATCH', `${path}/status`, { status: { phase: 'Resolved', reason: 'fixed' } }, 'merge');
        return this.model.resolvedByHand(id);
      case 'edit':
        if (!this.model.isHeld(id) || event.spec.severity === command.severity) return;
        await stage.must(200, 'PATCH', path, { spec: { severity: command.severity } }, 'merge');
        return this.model.editedByHand(id, command.severity);
    }
  }

  async #crash(): Promise<void> {
    const { controlPlane } = this.#parts.stage;
    this.#disturb();
    await controlPlane.kill('kube-apiserver');
    await controlPlane.start();
    await until('the events to be served again', async () => (await this.#events()) !== undefined);
  }

  async #start(): Promise<void> {
    if (this.#daemon !== undefined) return;
    const { stage, gate, root } = this.#parts;
    const settings = { root, ...(this.#thresholds === 'default' ? { thresholds: {} } : {}) };
    this.#daemon = await stage.daemonProcess(this.#home, settings, gate.url);
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    if (this.#daemon === undefined) return;
    const daemon = this.#daemon;
    this.#daemon = undefined;
    this.#disturb();
    await daemon.end(signal);
    await this.#parts.stage.end(daemon);
    assert.equal(daemon.stderr(), '');
  }

  #disturb(): void {
    this.#wasDisturbed = true;
    this.model.disturbed();
  }

  /** Heals everything, waits until the daemon has nothing to do, and compares. */
  async #rest(): Promise<void> {
    this.#parts.gate.reopen();
    await this.#start();
    const daemon = this.#daemon as DaemonProcess;
    await ready(daemon);
    await this.#passFence();
    if (this.#wasDisturbed) {
      // A listing tells in any order, and a connection that broke unseen must first be missed.
      await this.#live();
      await this.#passFence();
    }
    const quiet = await until('the daemon to come to rest', async () => {
      const now = await scrape(daemon);
      return now.isQuiet && (await this.#isLive()) ? now : undefined;
    });
    if (this.#informers.length === 0) this.#informers = await this.#liveNow();
    assertBalanced(quiet);
    const events = await this.#equal();
    await this.#checkWrites(events);
    this.model.settle(events);
    this.#wasDisturbed = false;
    this.#isStirred = false;
  }

  /** The events, as soon as they are as the model says. */
  async #equal(): Promise<readonly SeenEvent[]> {
    let problems: readonly string[] = [];
    try {
      return await until(
        'the events to be as the model says',
        async () => {
          const events = (await this.#events()).filter((event) => !isFence(event));
          problems = this.model.compare(events);
          return problems.length === 0 ? events : undefined;
        },
        { limitSeconds: equalSeconds },
      );
    } catch {
      throw new Error(`the events are not as the model says:\n  ${problems.join('\n  ')}`);
    }
  }

  /** The server's own account: one creation for each event, nothing deleted, nothing written that changed nothing. */
  async #checkWrites(events: readonly SeenEvent[]): Promise<void> {
    const { stage } = this.#parts;
    const all = stage.audit.writes(this.#home.namespace).filter(({ code }) => code < 300);
    const ours = all.filter(({ user }) => user === this.#home.account.user);
    assert.deepEqual(
      ours.filter(({ verb }) => verb === 'delete'),
      [],
      'the daemon deleted events',
    );
    for (const name of new Set(ours.map((write) => write.name))) {
      const of = all.filter((write) => write.name === name);
      const deletions = of.filter(({ verb }) => verb === 'delete').length;
      const creations = of.filter(({ verb }) => verb === 'create').length;
      assert.ok(creations <= 1 + deletions, `${name} was created ${creations} times and deleted ${deletions} times`);
      const writes = of.length - deletions;
      await until(
        `each of ${writes} writes of ${name} to be seen as a version`,
        () => this.#versions.count(name) >= writes,
        {
          limitSeconds: equalSeconds,
        },
      );
    }
    assert.deepEqual(this.#versions.idle(), [], 'written without a change');
    const since = ours.slice(this.#auditedBefore);
    this.#auditedBefore = ours.length;
    for (const event of events) {
      const id = this.model.findingOf(event);
      const writes = since.filter(({ name }) => name === event.metadata.name);
      const most = id === undefined ? 0 : this.model.mostWrites(id);
      const words = writes.map(({ verb, subresource }) => `${verb} ${subresource}`.trim()).join(', ');
      if (writes.length <= most || id === undefined) continue;
      const { name } = event.metadata;
      const told = this.#versions.tell(name);
      assert.fail(`${this.model.words(id)} was written more than ${most} times: ${words}; ${name}:${told}`);
    }
  }

  /** In the end: a rescan of everything and a restart change nothing, which is checked as everywhere. */
  async #finish(): Promise<void> {
    await this.#rest();
    for (let subject = 0; subject < this.#subjects.length; subject += 1) await this.#rescan(subject);
    await this.#rest();
    await this.#end();
    await this.#rest();
  }

  /** Writes a report of each tool that must change an event: once it has, the daemon has read what was written before. */
  async #passFence(): Promise<void> {
    this.#fences += 1;
    const severity = this.#fences % 2 === 0 ? 'high' : 'critical';
    const subjects = tools.map((tool) => ({ tool, namespace: this.#subject(0).namespace, workload: fence }));
    for (const subject of subjects) {
      const said: Said = { shape: 'complete', severities: new Map([[0, severity]]), at: this.#now() };
      const { path, body } = reportSaying(subject, 0, said);
      await this.#parts.stage.apply(path, body);
    }
    await until(
      'the daemon to read on',
      async () => {
        const passed = (await this.#events()).filter((event) => isFence(event) && event.spec.severity === severity);
        return passed.length === tools.length;
      },
      { pauseMs: 20 },
    );
  }

  async #live(): Promise<void> {
    await until('all informers to be live', () => this.#isLive());
  }

  async #isLive(): Promise<boolean> {
    const live = new Set(await this.#liveNow());
    return this.#informers.every((informer) => live.has(informer));
  }

  async #liveNow(): Promise<string[]> {
    const { samples } = await scrape(this.#daemon as DaemonProcess);
    return samples
      .filter(({ name, value }) => name === 'zen_watcher_informer_live' && value === 1)
      .map(({ labels }) => labels['resource'] ?? '');
  }

  async #events(): Promise<readonly SeenEvent[]> {
    return this.#parts.stage.events(this.#home.namespace);
  }

  #subject(subject: number): Subject {
    const found = this.#subjects[subject];
    if (found === undefined) throw new RangeError(`no subject ${subject}`);
    return found;
  }

  /** Seconds: later than all before, and in the past. */
  #now(): number {
    this.#serial += 1;
    return startedAt + this.#serial;
  }
}

/** Reports of an hour ago: a history says far less than one thing a second. */
const startedAt = Math.floor(Date.now() / 1000) - 3600;

function isFence({ spec }: SeenEvent): boolean {
  return spec.resource?.name === fence;
}
