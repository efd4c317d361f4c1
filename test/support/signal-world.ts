/** The pipeline over objects that count signals, like Kubernetes Events, in a time that passes only when a test says so. */
import { setImmediate as turn } from 'node:timers/promises';
import type { StoredEvent } from '../../src/api/stored-event.ts';
import type { Severity } from '../../src/api/words.ts';
import { reading, signal } from './findings.ts';
import type { WorldOptions } from './pipeline-world.ts';
import { World } from './pipeline-world.ts';

/** An object that counts. */
interface Counting {
  readonly id: string;
  readonly severity: Severity;
  readonly firstMs: number;
  total: number;
  lastMs: number;
}

export class SignalWorld {
  readonly world: World;
  readonly objects = new Map<string, Counting>();
  /** How often each signal truly happened. */
  readonly truth = new Map<string, number>();

  constructor(options: WorldOptions = {}) {
    this.world = new World({ ...options, isTimeElapsed: true });
    // Nothing is over unless a test says when.
    this.world.quietMs = 1000 * 3_600_000;
  }

  /** It happens so many times, a millisecond apart; the object knows, and nobody was told yet. */
  happen(object: string, id: string, times = 1, severity: Severity = 'high'): void {
    const firstMs = this.world.clock.now().getTime() + 1;
    this.world.elapsedMs += times;
    const nowMs = this.world.clock.now().getTime();
    const counting = this.objects.get(object);
    if (counting === undefined) this.objects.set(object, { id, severity, firstMs, lastMs: nowMs, total: times });
    else Object.assign(counting, { severity, lastMs: nowMs, total: counting.total + times });
    this.truth.set(id, (this.truth.get(id) ?? 0) + times);
    this.#write(object);
  }

  /** The watch shows the object as it is. */
  tell(object: string): void {
    this.world.tell(object);
  }

  /** It happens, and the watch shows it. */
  tellThat(object: string, id: string, times = 1, severity: Severity = 'high'): void {
    this.happen(object, id, times, severity);
    this.tell(object);
  }

  /** The object is deleted, as the server does after a while. Made again, it goes on counting. */
  remove(object: string): void {
    this.world.unreport(object);
  }

  /** Time passes, and what is due is done. */
  async pass(milliseconds: number): Promise<void> {
    this.world.elapsedMs += milliseconds;
    await this.settle();
  }

  /** Everything is done that is not put off. */
  async settle(): Promise<void> {
    for (let quietRounds = 0, round = 0; quietRounds < 2; round += 1) {
      if (round > 20_000) throw new Error('the pipeline does not come to rest');
      const { queue, dirty, writer } = this.world.life;
      // The writer's own timer goes by real time.
      writer.start();
      const isQuiet = queue.items === queue.delayed && dirty.size === 0 && this.world.server.echo.length === 0;
      quietRounds = isQuiet ? quietRounds + 1 : 0;
      this.world.echo();
      this.world.reread();
      await turn();
    }
  }

  /** In order: what was put off is written before the end. `meanwhile` happens while nobody watches. */
  async restartInOrder(meanwhile: () => void = () => {}): Promise<void> {
    const { writer } = this.world.life;
    await writer.drain(10_000);
    await writer.stop();
    meanwhile();
    await this.restart();
  }

  /** As after a kill. */
  async restart(): Promise<void> {
    await this.world.restart();
    await this.settle();
  }

  /** All that happened is written: as late as it may be. */
  async end(): Promise<void> {
    for (let round = 0; round < 3; round += 1) await this.pass(900_000);
    this.world.checkHoldings();
    const { queue, writer } = this.world.life;
    if (queue.items > 0) throw new Error(`${queue.items} intents are left`);
    await writer.stop();
  }

  /** The event of a signal. */
  event(id: string): StoredEvent | undefined {
    return [...this.world.server.events.values()].find(({ spec }) => spec.details?.['id'] === id);
  }

  /** status.count by signal. */
  get counts(): Record<string, number> {
    const events = [...this.world.server.events.values()];
    return Object.fromEntries(events.map(({ spec, status }) => [String(spec.details?.['id']), status?.count ?? 0]));
  }

  /** Successful changes so far: `create`, `patch` and the like. */
  get writes(): string[] {
    return this.world.server.changes.map(({ verb }) => verb);
  }

  #write(object: string): void {
    const { id, severity, firstMs, lastMs, total } = this.objects.get(object) as Counting;
    const nature = { occurrences: total, cumulative: true, firstAt: new Date(firstMs), at: new Date(lastMs) };
    const found = signal(id, nature, { severity });
    this.world.reports.set(object, [
      reading(object, [found], { completeness: 'partial', reportKey: ['counting', id] }),
    ]);
  }
}
