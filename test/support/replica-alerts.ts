/**
 * Alerts to replicas by webhook, as through a Service: each goes to the next replica, and to another one when it is not
 * taken. What was taken must be on the server at the end, whichever replica was killed; only one that was killed may refuse.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StoredEvent } from '../../src/api/stored-event.ts';
import type { DaemonProcess } from './daemon.ts';
import { countsOf, webhookPort } from './webhook-runs.ts';
import { alert, WebhookSender } from './webhook-sender.ts';

export interface AlertFigures {
  /** Alerts that were taken. */
  readonly taken: number;
  /** Those that were answered 202: a kill may lose them, and nothing else. */
  readonly inMemory: number;
  /** How often a replica that was being killed did not take one. */
  readonly refused: number;
  /** The longest that an alert had to wait until some replica took it. */
  readonly longestMs: number;
  /** Events whose count is not how often their alert was taken: repeats that a killed replica had in memory, or that were sent twice. */
  readonly otherCounts: number;
}

interface Target {
  readonly replica: DaemonProcess;
  readonly sender: WebhookSender;
}

const lanes = 4;
/** Half of the alerts are of these rules: repeats, at every replica. */
const sharedRules = 7;
const pauseMs = 400;

export class ReplicaAlerts {
  readonly #replicas: () => readonly DaemonProcess[];
  /** Those that were killed, or are about to be. */
  readonly #ending: ReadonlySet<DaemonProcess>;
  readonly #targets = new Map<number, Target>();
  readonly #takenOf = new Map<string, number>();
  readonly #running: Promise<unknown>;
  #next = 0;
  readonly #mayLack = new Set<string>();
  #inMemory = 0;
  #refused = 0;
  #longestMs = 0;
  #isStopped = false;

  constructor(replicas: () => readonly DaemonProcess[], ending: ReadonlySet<DaemonProcess>) {
    this.#replicas = replicas;
    this.#ending = ending;
    this.#running = Promise.all(Array.from({ length: lanes }, (_, lane) => this.#run(lane)));
    this.#running.catch(() => {}); // stop() tells.
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    try {
      await this.#running;
    } finally {
      for (const { sender } of this.#targets.values()) await sender.close();
    }
  }

  /** Throws when an alert that was taken has no event. */
  judge(events: readonly StoredEvent[]): AlertFigures {
    const counts = countsOf(events.filter(({ spec }) => spec.source === 'falco'));
    const missing = [...this.#takenOf.keys()].filter((rule) => !counts.has(rule) && !this.#mayLack.has(rule));
    assert.deepEqual(missing, [], 'alerts that were answered 200 and are not on the server');
    return {
      taken: [...this.#takenOf.values()].reduce((sum, count) => sum + count, 0),
      inMemory: this.#inMemory,
      refused: this.#refused,
      longestMs: Math.round(this.#longestMs),
      otherCounts: [...this.#takenOf].filter(([rule, count]) => counts.get(rule) !== count).length,
    };
  }

  async #run(lane: number): Promise<void> {
    for (let index = 0; !this.#isStopped; index += 1) {
      const rule = index % 2 === 0 ? `Rule ${lane} ${index}` : `Shared ${index % sharedRules}`;
      const begin = performance.now();
      while (!(await this.#taken(rule))) await sleep(20);
      this.#longestMs = Math.max(this.#longestMs, performance.now() - begin);
      this.#takenOf.set(rule, (this.#takenOf.get(rule) ?? 0) + 1);
      await sleep(pauseMs);
    }
  }

  async #taken(rule: string): Promise<boolean> {
    const replicas = this.#replicas();
    this.#next += 1;
    const replica = replicas[this.#next % replicas.length];
    if (replica === undefined) return false;
    const status = await this.#senderTo(replica).send(alert(rule));
    if (status === 202) {
      this.#inMemory += 1;
      this.#mayLack.add(rule);
    }
    if (status === 200 || status === 202) return true;
    this.#refused += 1;
    assert.ok(this.#ending.has(replica), `a replica that lives answered ${status}`);
    return false;
  }

  #senderTo(replica: DaemonProcess): WebhookSender {
    const known = this.#targets.get(replica.pid);
    if (known !== undefined) return known.sender;
    const sender = new WebhookSender(webhookPort(replica), '/falco/webhook', { connections: lanes });
    this.#targets.set(replica.pid, { replica, sender });
    return sender;
  }
}
