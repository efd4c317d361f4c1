/**
 * Looks every few seconds whether the configuration file says something else. By its content, not by file events: a
 * mounted ConfigMap changes by a symbolic link two folders up, which no watch on the file sees.
 */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Environment, Flags } from './load.ts';
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
  readonly sourceNames: readonly string[];
  /** Milliseconds between two looks. */
  readonly everyMs?: number | undefined;
}

const defaultEveryMs = 5_000;

/** Watches the file that the flags name; without one there is nothing to watch. Returns what ends it. */
export function watchConfig(options: ConfigWatchOptions, listener: ConfigListener): () => void {
  const { flags, environment, sourceNames } = options;
  const file = flags.config;
  if (file === undefined) return () => {};
  // What was loaded at the start may have changed since: the first look tells.
  let seen: string | undefined;
  const look = () => {
    const content = contentOf(file);
    if (content === seen) return;
    seen = content;
    let config: Config;
    try {
      config = loadConfig(flags, environment, sourceNames);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      listener.invalid(error.problems);
      return;
    }
    listener.changed(config);
  };
  const timer = setInterval(look, options.everyMs ?? defaultEveryMs);
  return () => clearInterval(timer);
}

/** Stands for what the file says; '' when it cannot be read. */
function contentOf(file: string): string {
  try {
    return hash('sha256', readFileSync(file));
  } catch {
    return '';
  }
}
