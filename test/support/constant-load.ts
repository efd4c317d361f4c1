/**
 * What a cluster's tools do all day, small and for ever: reports come, change and go, alerts and audit batches are sent,
 * ConfigMaps are rewritten, people delete and label events. How much there is stays the same. It knows what must be on the
 * server in the end.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { StoredEvent } from '../../src/api/stored-event.ts';
import { messageOf } from '../../src/lib/error-message.ts';
import { putConfigMap } from './config-maps.ts';
import { eventsPath } from './crd.ts';
import type { DaemonSettings } from './daemon.ts';
import { ReportChurn } from './report-churn.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { Home, Stage } from './stage.ts';
import { until } from './until.ts';
import { alert, deletion, eventList, WebhookSender } from './webhook-sender.ts';

export interface LoadSize {
  /** With a report of up to `findings` each. */
  readonly workloads: number;
  readonly findings: number;
  /** Rules that alert. */
  readonly rules: number;
}

export interface LoadParts {
  readonly stage: Stage;
  readonly home: Home;
  readonly random: SeededRandom;
  readonly size: LoadSize;
  /** One round of everything takes so long. */
  readonly roundMs: number;
}

/** How long a signal stays Active, and how long a Resolved event stays. */
const quietSeconds = 60;
const resolvedTtlHours = 0.05;
const graceSeconds = 45;
const alertsAtOnce = 16;
const nodes = ['node-a', 'node-b', 'node-c'];

/** For a daemon under this load: everything counts, what is over ends soon, webhooks are open. */
export const loadSettings: DaemonSettings = {
  config: {
    sources: {
      trivy: { graceSeconds },
      falco: { quietSeconds },
      audit: { quietSeconds },
    },
    budget: { resolvedTtlHours },
    webhooks: { port: 0, host: '127.0.0.1', routes: { falco: { open: true }, audit: { open: true } } },
    log: { level: 'info' },
  },
};

/** What a sender was answered. */
interface Told {
  readonly source: 'falco' | 'audit';
  readonly atMs: number;
}

export class ConstantLoad {
  readonly #parts: LoadParts;
  readonly #namespace: string;
  readonly churn: ReportChurn;
  readonly #failingChecks = new Map<string, readonly string[]>();
  /** By rule of an alert and name of a deleted namespace: when it was last answered 200. */
  readonly #told = new Map<string, Told>();
  #falco: WebhookSender | undefined;
  #audit: WebhookSender | undefined;
  #round = 0;
  #alertsInFlight = 0;
  #isStopped = false;
  #pauses = 0;
  #isBusy = false;
  #running: Promise<void> = Promise.resolve();
  /** What went wrong on our side, by its words: nothing, but while servers are away. */
  readonly troubles = new Map<string, number>();

  private constructor(parts: LoadParts, namespace: string) {
    const { stage, random, size } = parts;
    this.#parts = parts;
    this.#namespace = namespace;
    const each = Math.ceil(size.findings / 2);
    this.churn = new ReportChurn({ stage, namespace, random, each, most: size.findings });
  }

  /** Makes the workloads with their first reports. */
  static async prepare(parts: LoadParts): Promise<ConstantLoad> {
    const load = new ConstantLoad(parts, await parts.stage.namespace('team'));
    for (let count = 0; count < parts.size.workloads; count += 1) await load.churn.add();
    for (const node of nodes) await load.#rewriteConfigMap(node);
    return load;
  }

  /** What was answered so far, by status. */
  get statuses(): Readonly<Record<string, Readonly<Record<number, number>>>> {
    return { falco: this.#falco?.statuses ?? {}, audit: this.#audit?.statuses ?? {} };
  }

  /** Goes on until stop(); webhooks go to this port, and with another call to another one. */
  start(webhookPort: number): void {
    this.sendTo(webhookPort);
    this.#isStopped = false;
    this.#running = this.#run();
  }

  /** Webhooks go to this port from now on: of a new process. */
  sendTo(webhookPort: number): void {
    const old = [this.#falco, this.#audit];
    this.#falco = new WebhookSender(webhookPort, '/falco/webhook', { connections: alertsAtOnce });
    this.#audit = new WebhookSender(webhookPort, '/audit/webhook', { connections: 2 });
    for (const sender of old) sender?.close().catch(() => {});
  }

  /** Leaves the API server alone until the function is called that it gives; resolves when it does. */
  async pause(): Promise<() => void> {
    this.#pauses += 1;
    await until('the load to pause', () => !this.#isBusy);
    return () => {
      this.#pauses -= 1;
    };
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
    await until('the last alerts to be answered', () => this.#alertsInFlight === 0);
  }

  async close(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([this.#falco?.close(), this.#audit?.close()]);
  }

  /** Events of signals may be gone from here on that were answered before: somebody took them away, or their time was over. */
  forgetSignals(): void {
    this.#told.clear();
  }

  /** All that exists is reported again as it is: from then on what the events must be is known for certain. */
  async publish(): Promise<void> {
    await this.churn.publish();
    for (const node of nodes) await this.#putConfigMap(node);
  }

  /**
   * How the events of the server differ from what was reported; after publish(), with everything written. Signals count
   * where their sender was answered and their time is not over. `askedMs`: when the server was asked for the events.
   */
  differences(events: readonly StoredEvent[], askedMs: number): string[] {
    const isOurs = ({ spec }: StoredEvent) => spec.source !== 'trivy' || spec.resource?.namespace === this.#namespace;
    const of = (source: string) => events.filter((event) => event.spec.source === source && isOurs(event));
    return [
      ...this.churn.differences(of('trivy')),
      ...this.#checkDifferences(of('kube-bench')),
      ...this.lost(events, askedMs),
    ];
  }

  /** Signals that were answered 200 before the server was asked, their time not over, and are not there, in words. */
  lost(events: readonly StoredEvent[], askedMs: number): string[] {
    const there = new Set(events.map(({ spec }) => `${spec.source} ${nameOf(spec)}`));
    return [...this.#told].flatMap(([name, { source, atMs }]) => {
      // It stays for longer than that, Resolved; so a slow machine makes nobody a liar.
      const isDue = atMs < askedMs && askedMs - atMs < quietSeconds * 1000;
      return isDue && !there.has(`${source} ${name}`) ? [`${source} ${name} was answered and is not there`] : [];
    });
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const begin = Date.now();
      this.#round += 1;
      this.#alert();
      if (this.#round % 2 === 0) this.#auditBatch();
      if (this.#pauses === 0) {
        this.#isBusy = true;
        try {
          await this.#act();
        } catch (error) {
          this.#trouble(messageOf(error));
        } finally {
          this.#isBusy = false;
        }
      }
      await sleep(Math.max(0, this.#parts.roundMs - (Date.now() - begin)));
    }
  }

  async #act(): Promise<void> {
    const { random } = this.#parts;
    await this.churn.step();
    await this.churn.step();
    if (this.#round % 15 === 0) await this.#rewriteConfigMap(random.pick(nodes));
    if (this.#round % 40 === 0) await this.churn.withdraw();
    if (this.#round % 20 === 0) await this.#byHand();
  }

  #alert(): void {
    if (this.#alertsInFlight >= alertsAtOnce) return;
    const rule = `Rule ${this.#parts.random.between(1, this.#parts.size.rules)}`;
    void this.#send(rule, 'falco', () => this.#falco?.send(alert(rule)));
  }

  #auditBatch(): void {
    if (this.#alertsInFlight >= alertsAtOnce) return;
    const names = [0, 1].map((item) => `gone-${this.#round}-${item}`);
    const batch = eventList(names.map((name) => deletion(name, name)));
    void this.#send(names.join(' '), 'audit', () => this.#audit?.send(batch));
  }

  async #send(names: string, source: Told['source'], send: () => Promise<number> | undefined): Promise<void> {
    this.#alertsInFlight += 1;
    const status = await send();
    this.#alertsInFlight -= 1;
    if (status !== 200) return;
    const atMs = Date.now();
    for (const name of source === 'audit' ? names.split(' ') : [names]) this.#told.set(name, { source, atMs });
    for (const [name, told] of this.#told) if (atMs - told.atMs > 2 * quietSeconds * 1000) this.#told.delete(name);
  }

  /** Somebody deletes an event, or labels it. */
  async #byHand(): Promise<void> {
    const { stage, home, random } = this.#parts;
    const path = `${eventsPath(home.namespace)}?limit=20&labelSelector=zen.kube-zen.io%2Fsource%3Dtrivy`;
    const events: readonly StoredEvent[] = (await stage.must(200, 'GET', path))['items'];
    const active = events.filter(({ status }) => status?.phase === 'Active');
    if (active.length === 0) return;
    const one = `${eventsPath(home.namespace)}/${random.pick(active).metadata.name}`;
    if (random.isLucky(0.5)) await stage.rest.send('DELETE', one);
    else await stage.rest.send('PATCH', one, { metadata: { labels: { seen: `${this.#round}` } } }, 'merge');
  }

  async #rewriteConfigMap(node: string): Promise<void> {
    const numbers = ['4.1.1', '4.1.2', '4.1.3', '4.1.4', '4.1.5'];
    this.#failingChecks.set(
      node,
      numbers.filter(() => this.#parts.random.isLucky(0.5)),
    );
    await this.#putConfigMap(node);
  }

  async #putConfigMap(node: string): Promise<void> {
    const { stage, home } = this.#parts;
    const numbers = this.#failingChecks.get(node) ?? [];
    const content = { namespace: home.namespace, name: `kube-bench-${node}`, labels: { app: 'kube-bench' } };
    await putConfigMap(stage, { ...content, texts: { 'results.json': kubeBench(numbers) } });
  }

  #checkDifferences(events: readonly StoredEvent[]): string[] {
    const wanted = [...this.#failingChecks].flatMap(([node, numbers]) => numbers.map((one) => `Node/${node} ${one}`));
    const active = events.filter(({ status }) => status?.phase === 'Active');
    const is = active.map(({ spec }) => `${spec.subject} ${spec.summary?.split(' ')[0]}`);
    const [missing, extra] = [new Set(wanted).difference(new Set(is)), new Set(is).difference(new Set(wanted))];
    return [...[...missing].map((one) => `${one} is missing`), ...[...extra].map((one) => `${one} is not over`)];
  }

  #trouble(words: string): void {
    this.troubles.set(words, (this.troubles.get(words) ?? 0) + 1);
  }
}

function nameOf({ source, resource, details }: StoredEvent['spec']): unknown {
  return source === 'audit' ? resource?.name : details?.['rule'];
}

/** The results of a node: those numbers fail, one passes. */
function kubeBench(failing: readonly string[]): string {
  const check = (number: string, status: string) => ({
    test_number: number,
    test_desc: `Ensure that ${number} holds`,
    status,
    scored: true,
  });
  const results = [...failing.map((number) => check(number, 'FAIL')), check('4.1.9', 'PASS')];
  const tests = [{ section: '4.1', desc: 'Worker Node Configuration Files', results }];
  const controls = { id: '4', version: 'cis-1.9', node_type: 'node', text: 'Worker Node', tests };
  return JSON.stringify({ Controls: [controls], Totals: { total_fail: 0 } });
}
