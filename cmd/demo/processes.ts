/** The two programs that run beside the demo: the daemon, and kubectl watching. */
import { type ChildProcess, spawn } from 'node:child_process';

export interface BackgroundOptions {
  /** What it is called in messages. */
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly environment?: NodeJS.ProcessEnv;
  /** Takes each line of its stdout. */
  line(text: string): void;
}

const keptErrorLines = 20;

/** A program that runs until it is ended. When we are killed its stdout breaks, which ends it too. */
export class BackgroundProgram {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #errors: string[] = [];
  readonly #closed: Promise<void>;
  #trouble: string | undefined;
  #isEnding = false;

  constructor({ name, program, args, environment, line }: BackgroundOptions) {
    this.#name = name;
    // A process group of its own: Ctrl-C is for us, who end both in the right order.
    this.#child = spawn(program, args, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: environment ?? process.env,
    });
    byLine(this.#child.stdout, line);
    byLine(this.#child.stderr, (text) => {
      this.#errors.push(text);
      if (this.#errors.length > keptErrorLines) this.#errors.shift();
    });
    this.#closed = new Promise((resolve) => {
      this.#child.once('error', ({ message }) => {
        this.#trouble = `${name} cannot be started: ${message}`;
        resolve();
      });
      this.#child.once('close', (code, signal) => {
        this.#trouble ??= `${name} ended with ${signal ?? code}: ${this.#errors.join('\n')}`;
        resolve();
      });
    });
  }

  /** Throws when it has ended although nobody asked for it. */
  assertRunning(): void {
    if (this.#trouble !== undefined && !this.#isEnding) throw new Error(this.#trouble);
  }

  /** The last lines of its stderr. */
  get errors(): readonly string[] {
    return this.#errors;
  }

  /** Asks it to end; kills it when it has not done so in time. */
  async end(graceSeconds: number): Promise<void> {
    this.#isEnding = true;
    if (this.#trouble !== undefined) return;
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), graceSeconds * 1000);
    await this.#closed;
    clearTimeout(timer);
  }

  toString(): string {
    return this.#name;
  }
}

function byLine(stream: NodeJS.ReadableStream | null, line: (text: string) => void): void {
  let rest = '';
  stream?.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const each of lines) line(each);
  });
}
