/**
 * A request whose answer is read to its end, by undici's own callbacks: a stream, a signal and a promise for each piece
 * cost more than the rest of a small request, and there is one for every event that is written.
 */
import type { Dispatcher } from 'undici';
import { Alarm } from './abort.ts';
import { KubeError } from './kube-error.ts';

/** An answer, read to its end. */
export interface WholeAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** What ends a request before its answer is whole. */
export interface AnswerLimits {
  readonly milliseconds: number;
  /** So many of them are over when it is sent. */
  readonly spentMs: number;
  /** A longer answer is given up with the reason TooLong. */
  readonly maximumBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/** Sends it. Rejects with the signal's reason, KubeError TooLong, or what the connection or undici failed with. */
export function wholeAnswer(
  dispatcher: Dispatcher,
  request: Dispatcher.DispatchOptions,
  limits: AnswerLimits,
): Promise<WholeAnswer> {
  return new Promise((resolve, reject) => {
    const collector = new Collector(limits, resolve, reject);
    if (collector.isOver) return;
    try {
      dispatcher.dispatch(request, collector);
    } catch (error) {
      collector.fail(error);
    }
  });
}

type Controller = Dispatcher.DispatchController;

/** One answer on its way. */
class Collector implements Dispatcher.DispatchHandler {
  readonly #limits: AnswerLimits;
  readonly #resolve: (answer: WholeAnswer) => void;
  readonly #reject: (error: unknown) => void;
  readonly #alarm: Alarm;
  #controller: Controller | undefined;
  /** Why it was given up. */
  #failure: Error | undefined;
  #isOver = false;
  #status = 0;
  #headers: WholeAnswer['headers'] = {};
  readonly #chunks: Buffer[] = [];
  #length = 0;

  constructor(limits: AnswerLimits, resolve: (answer: WholeAnswer) => void, reject: (error: unknown) => void) {
    this.#limits = limits;
    this.#resolve = resolve;
    this.#reject = reject;
    const { milliseconds, spentMs, signal } = limits;
    this.#alarm = new Alarm(() => this.fail(new Error(`no whole answer within ${milliseconds / 1000} s`)));
    if (signal?.aborted) this.fail(signal.reason);
    else {
      signal?.addEventListener('abort', this.#follow);
      this.#alarm.set(milliseconds - spentMs);
    }
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Gives it up, wherever it is. */
  fail(reason: unknown): void {
    if (!this.#end()) return;
    this.#failure = reason instanceof Error ? reason : new Error(String(reason));
    this.#controller?.abort(this.#failure);
    this.#reject(reason);
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller;
    // It was given up while it waited for a connection.
    if (this.#failure !== undefined) controller.abort(this.#failure);
  }

  onResponseStart(_controller: Controller, status: number, headers: WholeAnswer['headers']): void {
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(_controller: Controller, chunk: Buffer): void {
    if (this.#isOver) return;
    this.#length += chunk.length;
    const { maximumBytes } = this.#limits;
    if (this.#length <= maximumBytes) this.#chunks.push(chunk);
    else {
      const message = `the answer is longer than ${maximumBytes} bytes`;
      this.fail(new KubeError({ status: 0, reason: 'TooLong', message }));
    }
  }

  onResponseEnd(): void {
    if (!this.#end()) return;
    const [first = Buffer.alloc(0)] = this.#chunks;
    const body = this.#chunks.length > 1 ? Buffer.concat(this.#chunks, this.#length) : first;
    this.#resolve({ status: this.#status, headers: this.#headers, body });
  }

  onResponseError(_controller: Controller, error: Error): void {
    if (this.#end()) this.#reject(error);
  }

  /** False when it was over before. */
  #end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#alarm.clear();
    this.#limits.signal?.removeEventListener('abort', this.#follow);
    return true;
  }

  readonly #follow = (): void => this.fail(this.#limits.signal?.reason);
}
