/** Counts tests from the events of node:test. */
import { resolve } from 'node:path';

/** What the tally reads of the events test:pass and test:fail. */
export interface TestEvent {
  readonly name: string;
  readonly file?: string | undefined;
  readonly skip?: string | boolean | undefined;
  readonly todo?: string | boolean | undefined;
  readonly details: {
    readonly type?: string | undefined;
    /** node:test puts a `failureType` on it. */
    readonly error?: Error | undefined;
  };
}

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/**
 * The counts of individual tests. node:test reports a file as one more test, passed even when nothing in it ran; here
 * a file counts only when it failed as a whole, ran no test or did not get to its end; then it is one more failure.
 */
export class Tally {
  readonly #untested: Set<string>;
  readonly #unfinished: Set<string>;
  readonly #durations = new Map<string, number>();
  #passed = 0;
  #failed = 0;
  #skipped = 0;

  constructor(files: readonly string[]) {
    this.#untested = new Set(files.map((file) => resolve(file)));
    this.#unfinished = new Set(this.#untested);
  }

  /** Takes a test:pass event. */
  pass(event: TestEvent): void {
    if (isWholeFile(event)) return;
    this.#seen(event);
    if (isSet(event.skip) || isSet(event.todo)) this.#skipped += 1;
    else if (event.details.type !== 'suite') this.#passed += 1;
  }

  /** Takes a test:fail event. */
  fail(event: TestEvent): void {
    this.#seen(event);
    if (isWholeFile(event)) this.finish(event.file);
    if (isSet(event.todo)) this.#skipped += 1;
    // A suite whose tests failed adds nothing to them; one whose own hook failed does.
    else if (event.details.type !== 'suite' || failureType(event) !== 'subtestsFailed') this.#failed += 1;
  }

  /** Takes file and duration of a test:summary event: the tests of that file got to their end. */
  finish(file: string | undefined, milliseconds?: number): void {
    if (file === undefined) return;
    this.#unfinished.delete(resolve(file));
    if (milliseconds !== undefined) this.#durations.set(resolve(file), milliseconds);
  }

  /** The files that took longest, at most so many, the longest first. */
  slowest(count: number): { readonly file: string; readonly milliseconds: number }[] {
    return [...this.#durations]
      .map(([file, milliseconds]) => ({ file, milliseconds }))
      .sort((a, b) => b.milliseconds - a.milliseconds)
      .slice(0, count);
  }

  /** The files that reported no test, or no end of them (process.exit(0) in a test); each counts as failed. */
  get incomplete(): string[] {
    return [...new Set([...this.#untested, ...this.#unfinished])];
  }

  /** The counts so far. */
  get counts(): Counts {
    return { passed: this.#passed, failed: this.#failed + this.incomplete.length, skipped: this.#skipped };
  }

  #seen({ file }: TestEvent): void {
    if (file !== undefined) this.#untested.delete(resolve(file));
  }
}

/** The last line of a run. */
export function summary({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/** Whether a run is a success: something was tested and nothing failed. */
export function isSuccess({ passed, failed }: Counts): boolean {
  return failed === 0 && passed > 0;
}

function isWholeFile({ name, file }: TestEvent): boolean {
  return file !== undefined && resolve(name) === resolve(file);
}

function failureType({ details }: TestEvent): unknown {
  return (details.error as { failureType?: unknown } | undefined)?.failureType;
}

/** An empty text is a reason too: `skip: ''` skips. */
function isSet(directive: string | boolean | undefined): boolean {
  return directive !== undefined && directive !== false;
}
