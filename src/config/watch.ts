/**
 * Looks every few seconds whether the configuration file says something else. By its content, not by file events: a
 * mounted ConfigMap changes by a symbolic link two folders up, which no watch on the file sees.
 */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Source } from '../sources/source.ts';
import type { Environment } from './environment.ts';
import type { Flags } from './load.ts';
import { ConfigError, loadConfig } from './load.ts';
import type { Config } from './schema.ts';

/**
 * Told what the file says at the first look and whenever it says something else: a configuration that is valid, or what
 * is wrong with it.
 */
export interface ConfigListener {
  changed(config: Config): void;
  invalid(problems: readonly string[]): void;
}

export interface ConfigWatchOptions {
  readonly flags: Flags;
  readonly environment: Environment;
  readonly registry: readonly Source[];
  /** Milliseconds between two looks. */
  readonly everyMs?: number | undefined;
}

const defaultEveryMs = 5_000;

/** Watches the file that the flags name; without one there is nothing to watch. Returns what ends it. */
export function watchConfig(options: ConfigWatchOptions, listener: ConfigListener): () => void {
  const { flags, environment, registry } = options;
  const file = flags.config;
  if (file === undefined) return () => {};
  // What was loaded at the start may have changed since: the first look tells.
  let seen: string | undefined;
  let isEnded = false;
  const look = async () => {
    const content = contentOf(file);
    if (content === seen) return;
    seen = content;
    const outcome = await loadConfig(flags, environment, registry).then(
      (config) => () => listener.changed(config),
      (error: unknown) => {
        if (!(error instanceof ConfigError)) throw error;
        return () => listener.invalid(error.problems);
      },
    );
    // Of two looks at once only the one at the newer content tells.
    if (seen === content && !isEnded) outcome();
  };
  const timer = setInterval(() => void look(), options.everyMs ?? defaultEveryMs);
  return () => {
    isEnded = true;
    clearInterval(timer);
  };
}

/** Stands for what the file says; '' when it cannot be read. */
function contentOf(file: string): string {
  try {
    return hash('sha256', readFileSync(file));
  } catch {
    return '';
  }
}
