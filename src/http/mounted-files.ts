/**
 * Files that are mounted from Secrets and change while we run. The kubelet swaps a symbolic link, which no watch on the file
 * sees: so they are looked at again every few seconds, and by what they say, not by their times.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../lib/error-message.ts';
import { shortHash } from '../lib/hash.ts';

/** A file as it is now. */
export type MountedFile =
  | { readonly path: string; readonly text: string }
  | { readonly path: string; readonly problem: string };

/** A Secret holds 1 MiB at most. */
const maximumBytes = 1024 * 1024;
const maximumFiles = 256;

/** Between two looks. */
export const defaultEveryMs = 5_000;

export class MountedFiles {
  readonly #paths: readonly string[];
  readonly #changed: (files: readonly MountedFile[]) => void;
  #seen: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** `changed` is told at the first look, and whenever any of the files says something else. Folders stand for their files. */
  constructor(paths: readonly string[], changed: (files: readonly MountedFile[]) => void) {
    this.#paths = paths;
    this.#changed = changed;
  }

  /** Looks now, and again and again until stop(). */
  start(everyMs = defaultEveryMs): void {
    this.look();
    this.#timer = setInterval(() => this.look(), everyMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Looks once. */
  look(): void {
    const files = this.#paths.flatMap(readPath);
    const now = shortHash(JSON.stringify(files));
    if (now === this.#seen) return;
    this.#seen = now;
    this.#changed(files);
  }
}

function readPath(path: string): readonly MountedFile[] {
  try {
    if (!statSync(path).isDirectory()) return [readOne(path)];
    // A mount keeps its data in `..2026_01_01` and `..data`, and shows links to them.
    const names = readdirSync(path).filter((name) => !name.startsWith('.'));
    return names
      .sort()
      .slice(0, maximumFiles)
      .map((name) => readOne(join(path, name)));
  } catch (error) {
    return [{ path, problem: messageOf(error) }];
  }
}

function readOne(path: string): MountedFile {
  try {
    const { size } = statSync(path);
    if (size > maximumBytes) return { path, problem: 'is larger than 1 MiB' };
    return { path, text: readFileSync(path, 'utf8') };
  } catch (error) {
    return { path, problem: messageOf(error) };
  }
}
