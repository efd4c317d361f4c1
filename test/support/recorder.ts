/** A reflector's handler that writes down what it is told. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeObject } from '../../src/kube/kube-object.ts';
import { keyOf } from '../../src/kube/kube-object.ts';
import type { ReflectorHandler, ReflectorState } from '../../src/kube/reflector.ts';
import type { RelistCause } from '../../src/lib/relist-cause.ts';

/** Waits for a condition; fails with words after a minute and a half. Never a measure of speed. */
export async function waitFor(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 90_000; Date.now() < deadline; await sleep(5)) if (await condition()) return;
  throw new Error(`waited in vain for: ${what}`);
}

export class Recorder implements ReflectorHandler {
  /** `object ns/name@version`, `gone ns/name`, `listing began`, `listing complete`, `state`, `malformed`. */
  readonly log: string[] = [];
  /** What is there, by what was told: namespace/name -> resourceVersion. */
  readonly picture = new Map<string, string>();
  readonly objects: KubeObject[] = [];
  readonly malformedMessages: string[] = [];
  /** `cause namespace/name`, of what listings corrected. */
  readonly corrections: string[] = [];
  state: ReflectorState | undefined;
  listings = 0;
  /** Called by object(), before it is written down. */
  onObject: (object: KubeObject) => void = () => {};
  /** What room() waits for. */
  roomy: Promise<void> = Promise.resolve();

  listingBegan(): void {
    this.log.push('listing began');
  }

  object(object: KubeObject): void {
    this.onObject(object);
    this.objects.push(object);
    this.log.push(`object ${keyOf(object)}@${object.metadata.resourceVersion}`);
    this.picture.set(keyOf(object), object.metadata.resourceVersion);
  }

  gone(namespace: string, name: string): void {
    this.log.push(`gone ${namespace}/${name}`);
    this.picture.delete(`${namespace}/${name}`);
  }

  listingComplete(): void {
    this.listings += 1;
    this.log.push('listing complete');
  }

  stateChanged(state: ReflectorState): void {
    this.state = state;
    this.log.push(state.kind);
  }

  malformed(message: string): void {
    this.malformedMessages.push(message);
    this.log.push('malformed');
  }

  corrected(cause: RelistCause, keys: readonly string[]): void {
    for (const key of keys) this.corrections.push(`${cause} ${key}`);
  }

  room: () => Promise<void> = () => this.roomy;

  /** What was told of objects, without listings and states. */
  get tales(): string[] {
    return this.log.filter((line) => line.startsWith('object ') || line.startsWith('gone '));
  }

  /** How often something was told. */
  count(line: string): number {
    return this.log.filter((each) => each === line).length;
  }

  async logged(line: string, times = 1): Promise<void> {
    await waitFor(`${line} (${times} times)\n${this.log.join('\n')}`, () => this.count(line) >= times);
  }
}
