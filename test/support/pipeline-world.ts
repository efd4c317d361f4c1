/** The pipeline over a model of the server and of the reports in the cluster: everything but the network. */
import { setImmediate as turn } from 'node:timers/promises';
import type { StoredEvent } from '../../src/api/stored-event.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { unlimited } from '../../src/pipeline/admission.ts';
import { Books, discrepancy } from '../../src/pipeline/books.ts';
import { Breaker } from '../../src/pipeline/breaker.ts';
import { Budget } from '../../src/pipeline/budget.ts';
import type { Ending } from '../../src/pipeline/event-changes.ts';
import { EventIndex } from '../../src/pipeline/event-index.ts';
import type { ClusterView } from '../../src/pipeline/evidence.ts';
import { blindView } from '../../src/pipeline/evidence.ts';
import type { DirtyReason } from '../../src/pipeline/holdings.ts';
import type { Intent } from '../../src/pipeline/intent.ts';
import type { KindState } from '../../src/pipeline/lifecycle.ts';
import { Lifecycle } from '../../src/pipeline/lifecycle.ts';
import { LiveRules } from '../../src/pipeline/live-rules.ts';
import { OwnEvents } from '../../src/pipeline/own-events.ts';
import type { PodLookup } from '../../src/pipeline/owner.ts';
import { Pace } from '../../src/pipeline/pace.ts';
import { Reconciler } from '../../src/pipeline/reconciler.ts';
import { ReportHealth } from '../../src/pipeline/report-health.ts';
import { ReportTable } from '../../src/pipeline/report-table.ts';
import type { RuleSettings } from '../../src/pipeline/rules.ts';
import { isSentKey } from '../../src/pipeline/sent-reports.ts';
import { Settlements } from '../../src/pipeline/settlements.ts';
import type { Shards } from '../../src/pipeline/shards.ts';
import { oneShard } from '../../src/pipeline/shards.ts';
import { Summaries } from '../../src/pipeline/summaries.ts';
import { WorkQueue } from '../../src/pipeline/work-queue.ts';
import { WriteBudget } from '../../src/pipeline/write-budget.ts';
import { WriteGates } from '../../src/pipeline/write-gates.ts';
import { Writer } from '../../src/pipeline/writer.ts';
import type { Reading } from '../../src/sources/source.ts';
import { keyOf, signalType, start, tool } from './findings.ts';
import type { WatchEvent } from './model-server.ts';
import { ModelServer } from './model-server.ts';
import { everythingAccepted } from './rules.ts';

export interface WorldOptions {
  readonly queueItems?: number;
  readonly rules?: Partial<RuleSettings>;
  readonly concurrency?: number;
  /** Durations go by elapsedMs too: for what waits for minutes. */
  readonly isTimeElapsed?: boolean;
  /** The event budget; there is none when it is not said. */
  readonly events?: number;
  /** Whether all kinds of reports are one channel. */
  readonly isOneChannel?: boolean;
  /** The server of another world: both are replicas. This one stands by at first. */
  readonly replicaOf?: World;
  /** What this replica reads; it writes there as well. One shard where it is not said. */
  readonly shards?: Shards;
}

/** What the registry would say of the findings of tests: signals are of a type of their own. */
function isSignal(_source: string, eventType: string): boolean {
  return eventType === signalType;
}

/** One process life of the daemon. */
class Life {
  readonly index = new EventIndex();
  readonly malformedMutes: string[] = [];
  readonly shards: Shards;
  /** The shards in which it writes while it leads. */
  readonly led: Set<number>;
  readonly own: OwnEvents;
  readonly reports = new ReportTable();
  readonly books = new Books();
  readonly queue: WorkQueue;
  readonly settlements: Settlements;
  readonly reconciler: Reconciler;
  readonly writer: Writer;
  readonly ended: { readonly intent: Intent; readonly ending: Ending }[] = [];
  readonly tampered: string[] = [];
  readonly dirty = new Map<string, DirtyReason>();
  readonly health: ReportHealth;
  readonly halts: string[] = [];
  readonly lifecycle: Lifecycle;
  readonly budget: Budget | undefined;
  isLeading = true;
  /** What the budget has told. */
  readonly capped: boolean[] = [];

  constructor(world: World, options: WorldOptions) {
    const { server, clock } = world;
    this.shards = options.shards ?? oneShard;
    this.led = new Set(this.shards.scope);
    const mayWrite = (shard: number) => this.isLeading && this.led.has(shard);
    const noted = (_event: string, text: string) => void this.malformedMutes.push(text);
    this.own = new OwnEvents(this.index, isSignal, noted, undefined, this.shards);
    const { index, own, reports, books } = this;
    const view: ClusterView = {
      isNamespaceGone: (namespace) => world.view.isNamespaceGone(namespace),
      isLeaving: (namespace) => world.view.isLeaving(namespace),
      isPolicyGone: (source, policy) => world.view.isPolicyGone(source, policy),
      endOfReport: (...report) => world.view.endOfReport(...report),
      runningResources: () => world.view.runningResources(),
    };
    this.queue = new WorkQueue({ items: options.queueItems ?? 1000, bytes: 2 ** 24 }, clock.monotonicMs);
    const { queue } = this;
    this.settlements = new Settlements(queue);
    this.health = new ReportHealth({
      graceMs: () => world.graceMs,
      channelOf: (kind) => (options.isOneChannel ? 'reports' : kind),
      haltChanged: (channel, isHalted) => this.halts.push(`${channel} ${isHalted}`),
    });
    this.budget =
      options.events === undefined
        ? undefined
        : new Budget({
            index,
            queue,
            books,
            shard: 0,
            events: options.events,
            summaries: new Summaries({
              index,
              queue,
              namespaceFor: () => 'zen-system',
              cluster: undefined,
              intervalMs: world.summaryMs,
              shard: 0,
              isSharded: false,
            }),
            monotonicMs: () => world.elapsedMs,
            isSettled: () => this.isLeading && this.reconciler.isSettled(tool),
            unfold: (row) => this.reconciler.unfold(row),
            lookSoon: () => {},
            cappedChanged: (isCapped) => void this.capped.push(isCapped),
          });
    this.reconciler = new Reconciler({
      index,
      reports,
      queue,
      books,
      lookUpPod: (namespace, name) => world.lookUpPod(namespace, name),
      judge: (finding, owners) => world.rules.judge(finding, owners),
      namespaceFor: () => 'zen-system',
      // What was sent cannot be read again.
      markDirty: (object, reason) => (isSentKey(object.key) ? undefined : this.dirty.set(object.key, reason)),
      health: this.health,
      view,
      signals: { quietMs: () => world.quietMs, monotonicMs: clock.monotonicMs },
      admission: this.budget ?? unlimited,
      mayWrite,
      shards: this.shards,
    });
    this.lifecycle = new Lifecycle({
      index,
      reports,
      queue,
      health: this.health,
      view,
      waits: () => ({ graceMs: world.graceMs, quietMs: world.quietMs }),
      kindState: (kind) => world.kindStates.get(kind) ?? world.kindState,
      handBack: (record) => this.reconciler.handBack(record),
      mayWrite,
      unverifiedMs: world.unverifiedMs,
    });
    const tiny = { firstMs: 0.01, maximumMs: 0.05 };
    this.writer = new Writer({
      queue,
      store: server,
      index,
      own,
      books,
      budget: new WriteBudget({ perSecond: 0, burst: 1 }, clock.monotonicMs),
      breaker: new Breaker(tiny, clock.monotonicMs, () => 0.5),
      pace: new Pace(options.concurrency ?? 4, new Breaker(tiny, clock.monotonicMs, () => 0.5)),
      gates: new WriteGates({
        index,
        backoff: tiny,
        random: () => 0.5,
        monotonicMs: clock.monotonicMs,
        changed: () => {},
      }),
      clock,
      concurrency: options.concurrency ?? 4,
      backoff: tiny,
      mayWrite,
      observer: {
        ended: (intent, ending) => {
          this.ended.push({ intent, ending });
          this.reconciler.intentEnded(intent.key, ending.kind);
          this.budget?.ended(intent, ending.kind);
          this.settlements.ended(intent.key);
          world.check();
        },
        delayed: () => world.check(),
        tampered: (intent, what) => this.tampered.push(`${what} ${intent.key}`),
      },
    });
  }

  /** The endings so far but those that needed nothing. */
  get outcomes(): string[] {
    return this.ended.map(({ ending }) => ending.kind).filter((kind) => kind !== 'unchanged');
  }
}

export class World {
  readonly server: ModelServer;
  readonly #echo: WatchEvent[];
  readonly clock: Clock = {
    now: () => new Date(start.getTime() + this.elapsedMs),
    monotonicMs: () => (this.#options.isTimeElapsed ? this.elapsedMs : performance.now()),
  };
  /** Reports in the cluster: name -> what each says. */
  readonly reports = new Map<string, readonly Reading[]>();
  lookUpPod: PodLookup = () => 'none';
  view: ClusterView = blindView;
  kindState: KindState = { kind: 'listed' };
  /** Of single kinds, `group|Kind`. */
  readonly kindStates = new Map<string, KindState>();
  readonly graceMs = 60_000;
  quietMs = 3_600_000;
  readonly unverifiedMs = 86_400_000;
  readonly rules: LiveRules;
  readonly summaryMs = 10_000;
  /** The time of the reports and of the reconciler; the writer's waits are real, and tiny. */
  elapsedMs = 0;
  life: Life;
  readonly #options: WorldOptions;
  /** What the watch or a listing told last of each event: name -> resourceVersion. */
  readonly #told = new Map<string, string>();
  /** What the listing under way will tell. */
  #listing: { readonly events: readonly StoredEvent[]; readonly version: number } | undefined;

  constructor(options: WorldOptions = {}) {
    this.#options = options;
    this.server = options.replicaOf?.server ?? new ModelServer();
    this.#echo = options.replicaOf === undefined ? this.server.echo : this.server.watch();
    this.rules = new LiveRules(
      { ...everythingAccepted, ...options.rules },
      {
        clock: this.clock,
        labelsOf: () => undefined,
        changed: () => {
          for (const name of this.reports.keys()) this.tell(name);
        },
        noticed: () => {},
      },
    );
    this.life = new Life(this, options);
    this.life.writer.start();
    this.life.reconciler.setSettled(tool, true);
    if (options.replicaOf !== undefined) this.resign();
  }

  /** Another replica leads from now on. */
  resign(): void {
    const { life } = this;
    life.isLeading = false;
    life.writer.fence(0);
    life.budget?.forgetPlan();
    life.reconciler.resign(0);
  }

  /** This one leads from now on. True when signals have to be read again. */
  takeOver(): boolean {
    const { life } = this;
    life.isLeading = true;
    life.writer.fence(0);
    life.budget?.forgetPlan();
    return life.reconciler.takeOver(0, true);
  }

  /** Reads one shard more and writes in it, as after its leader was killed: own events are listed first, then reports. */
  join(shard: number): void {
    const { life } = this;
    life.reconciler.setSettled(tool, false);
    life.shards.setScope([...life.shards.scope, shard]);
    for (const name of this.#told.keys()) if (!life.own.isHeard(name)) this.#told.delete(name);
    this.beginListing();
    this.completeListing();
    life.led.add(shard);
    life.writer.fence(shard);
    life.reconciler.takeOver(shard, false);
    for (const name of this.reports.keys()) this.tell(name);
    life.reconciler.setSettled(tool, true);
  }

  /** Gives a shard back: what is queued there is written first, then everything of it is forgotten. `isUnread`: reports too. */
  async leave(shard: number, isUnread = (_key: string) => false): Promise<void> {
    const { life } = this;
    await this.rest();
    life.led.delete(shard);
    life.writer.fence(shard);
    life.reconciler.resign(shard);
    life.shards.setScope([...life.shards.scope].filter((other) => other !== shard));
    const forgetStored = (row: number) => life.own.forget(row);
    life.reconciler.forgetOutside({ unread: [], isUnread, forgetStored }, this.moment);
  }

  get moment() {
    return { now: this.clock.now(), monotonicMs: this.elapsedMs };
  }

  /** A report appears or changes, and the watch shows it. */
  report(name: string, ...readings: readonly Reading[]): void {
    this.reports.set(name, readings);
    this.tell(name);
  }

  /** A report is deleted, and the watch shows it. */
  unreport(name: string): void {
    this.reports.delete(name);
    this.tell(name);
  }

  /** The watch shows how a report stands. */
  tell(name: string): void {
    const readings = this.reports.get(name);
    this.elapsedMs += 1;
    this.life.dirty.delete(keyOf(name));
    if (readings === undefined) this.life.reconciler.gone(keyOf(name), this.moment);
    else this.life.reconciler.read(keyOf(name), tool, readings, this.moment);
    this.check();
  }

  /** The watch on our own events shows what it has not yet shown, at most so many. */
  echo(count = Number.POSITIVE_INFINITY): void {
    if (this.#listing !== undefined) this.completeListing();
    for (const { type, event } of this.#echo.splice(0, Math.min(count, this.#echo.length))) {
      if (type === 'gone') this.#gone(event.metadata.name);
      else this.#show(event);
    }
    this.check();
  }

  /** The watch on our own events broke off, and a listing begins: what the watch did not show is lost. */
  beginListing(): void {
    this.#echo.splice(0);
    this.#listing = { events: [...this.server.events.values()], version: this.server.version };
    this.life.own.listingBegan();
  }

  /** The listing is told to its end; the watch goes on from there. Like a reflector, it does not tell twice what is known. */
  completeListing(): void {
    const { events, version } = this.#listing ?? { events: [], version: 0 };
    this.#listing = undefined;
    const listed = new Set(events.map(({ metadata }) => metadata.name));
    for (const event of events) {
      if (this.#told.get(event.metadata.name) !== event.metadata.resourceVersion) this.#show(event);
    }
    for (const name of [...this.#told.keys()]) if (!listed.has(name)) this.#gone(name);
    for (const row of this.life.own.listingComplete(String(version))) this.life.reconciler.eventGone(row);
    this.check();
  }

  /** Time passes, everything comes to rest, and all events are looked at. */
  async later(ms: number): Promise<void> {
    await this.rest();
    this.elapsedMs += ms;
    this.life.lifecycle.sweep(this.moment);
    await this.rest();
  }

  /** Reads again what is dirty. */
  reread(): void {
    const { dirty, queue } = this.life;
    for (const [key] of [...dirty]) {
      if (queue.isFull) return;
      const name = key.slice(key.lastIndexOf('|') + 1);
      dirty.delete(key);
      this.tell(name);
    }
  }

  /** Nothing waits: no write, no echo, no report to be read again. */
  get isQuiet(): boolean {
    const { queue, dirty } = this.life;
    return queue.items === 0 && dirty.size === 0 && this.#echo.length === 0;
  }

  /** Lets everything come to rest: writes, echoes, reports to be read again. */
  async rest(): Promise<void> {
    for (let quietRounds = 0, round = 0; quietRounds < 2; round += 1) {
      if (round > 20_000) throw new Error('the pipeline does not come to rest');
      quietRounds = this.isQuiet ? quietRounds + 1 : 0;
      this.echo();
      this.reread();
      await turn();
    }
    this.checkHoldings();
  }

  /** The process ends as it stands and a new one starts: own events first, then the reports, in the order given. */
  async restart(order: readonly string[] = [...this.reports.keys()], isListed = true): Promise<void> {
    const fault = this.server.fault;
    this.server.fault = () => ({ kind: 'retry', cause: 'unavailable', message: 'the process was killed' });
    await this.life.writer.stop();
    this.server.fault = fault;
    this.life = new Life(this, this.#options);
    this.life.writer.start();
    this.#told.clear();
    this.beginListing();
    this.completeListing();
    for (const name of order) this.tell(name);
    this.life.reconciler.setSettled(tool, isListed);
  }

  #show(event: StoredEvent): void {
    this.#told.set(event.metadata.name, event.metadata.resourceVersion);
    const observation = this.life.own.observe(event);
    if (observation !== undefined) this.life.reconciler.eventObserved(observation);
  }

  #gone(name: string): void {
    this.#told.delete(name);
    const row = this.life.own.gone('zen-system', name);
    if (row !== 0) this.life.reconciler.eventGone(row);
  }

  /** Names of events by phase, in words that tests can compare: `id` or `(id)` when Resolved, with its reason. */
  get state(): string[] {
    return [...this.server.events.values()].map(phrase).sort();
  }

  /** Holds at every moment. */
  check(): void {
    const missing = discrepancy(this.life.books.balance());
    if (missing !== 0) throw new Error(`the books do not balance: ${JSON.stringify(this.life.books.balance())}`);
  }

  /** Holds at rest: holders are counted right, and nothing is known that is neither held nor on the server. */
  checkHoldings(): void {
    const { index, reports, reconciler } = this.life;
    const holders = new Map<number, number>();
    for (const row of index.rows()) holders.set(row, 0);
    for (const record of reports.allRecords()) {
      for (const row of record.held) {
        if (!holders.has(row)) throw new Error('a report holds a row that was released');
        holders.set(row, (holders.get(row) ?? 0) + 1);
      }
    }
    for (const [row, count] of holders) {
      if (count !== index.holders(row))
        throw new Error(`${index.name(row)}: ${index.holders(row)} holders, not ${count}`);
      if (count === 0 && !index.isOnServer(row)) throw new Error(`${index.name(row)} leaks`);
      const event = this.server.events.get(index.name(row));
      if (index.isOnServer(row) && event?.metadata.resourceVersion !== index.resourceVersion(row)) {
        throw new Error(
          `${index.name(row)} is known at ${index.resourceVersion(row)}, is ${event?.metadata.resourceVersion}`,
        );
      }
    }
    if (this.reports.size === 0 && reconciler.wantedPods > 0) throw new Error('Pods are wanted by nobody');
  }
}

function phrase(event: StoredEvent): string {
  const id = String(event.spec.details?.['id']);
  return event.status?.phase === 'Resolved' ? `(${id} ${event.status.reason})` : id;
}

/** How many changes the server saw while `act` ran and everything came to rest. */
export async function changes(world: World, act: () => void | Promise<void>): Promise<number> {
  const before = world.server.changes.length;
  await act();
  await world.rest();
  return world.server.changes.length - before;
}

/** The only event on the server. Throws when there are others, or none. */
export function onlyEvent(world: World): StoredEvent {
  const [event, ...others] = world.server.events.values();
  if (event === undefined || others.length > 0) throw new Error(`one event, found ${world.state}`);
  return event;
}
