/**
 * The environment variables that set something, and those of older versions: people have them in their manifests, so each
 * still works or says once why it does not.
 */

import type { Preset } from '../pipeline/presets.ts';
import { presets } from '../pipeline/presets.ts';

/** Environment variables, handed in. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A variable, the key of the configuration that it sets, and how its text becomes a value; undefined sets nothing. */
interface SettingVariable {
  readonly name: string;
  readonly path: string;
  read(text: string): unknown;
  /** Added to the list of that key rather than put in its place. */
  readonly isAdded?: boolean;
}

/** A variable of older versions that sets nothing any more, and why that is no loss. */
interface IgnoredVariable {
  readonly name: string;
  readonly why: string;
}

const behaviorMode = 'BEHAVIOR_MODE';

/** Words of older versions for levels that we do not have. */
const levelWords: Readonly<Record<string, string>> = {
  crit: 'error',
  critical: 'error',
  fatal: 'error',
  warning: 'warn',
  trace: 'debug',
};

/** In this order: a later one wins over an earlier one that sets the same. */
export const settingVariables: readonly SettingVariable[] = [
  { name: 'WATCH_NAMESPACE', path: 'events.namespace', read: String },
  { name: 'CLUSTER_ID', path: 'events.cluster', read: String },
  { name: 'LOG_LEVEL', path: 'log.level', read: levelOf },
  { name: 'METRICS_PORT', path: 'server.metricsPort', read: Number },
  { name: 'WATCHER_PORT', path: 'webhooks.port', read: Number },
  { name: 'WATCHER_PORT', path: 'webhooks.port', read: Number },
  { name: behaviorMode, path: 'preset', read: presetOf },
  // Where these tools leave their reports in ConfigMaps.
  ...['KUBE_BENCH_NAMESPACE', 'KUBEBENCH_NAMESPACE', 'CHECKOV_NAMESPACE'].map((name) => ({
    name,
    path: 'configMaps.namespaces',
    read: String,
    isAdded: true,
  })),
];

const discovered = 'the tool is found by the API that it serves, in whatever namespace it runs';
const bounded = 'what waits is bounded by queue.items and queue.bytes';

export const ignoredVariables: readonly IgnoredVariable[] = [
  { name: 'TRIVY_NAMESPACE', why: discovered },
  { name: 'KYVERNO_NAMESPACE', why: discovered },
  { name: 'FALCO_NAMESPACE', why: 'Falco sends its alerts to the webhook, from whatever namespace it runs in' },
  { name: 'AUTO_DETECT_ENABLED', why: 'tools are always detected; sources.<name>.enabled: false switches one off' },
  { name: 'DEDUP_WINDOW', why: 'one finding is one event for ever, not for a time: there is no window' },
  { name: 'FALCO_BUFFER_SIZE', why: bounded },
  { name: 'AUDIT_BUFFER_SIZE', why: bounded },
];

/** What the environment sets. */
export interface Setting {
  readonly name: string;
  readonly path: string;
  readonly value: unknown;
  readonly isAdded: boolean;
}

/** Everything that is set, in the order of the table. An empty variable sets nothing. */
export function settingsIn(environment: Environment): Setting[] {
  return settingVariables.flatMap(({ name, path, read, isAdded = false }) => {
    const text = environment[name]?.trim() ?? '';
    const value = text === '' ? undefined : read(text);
    return value === undefined ? [] : [{ name, path, value, isAdded }];
  });
}

/** What should be changed but does no harm: said once, at the start. */
export function environmentWarnings(environment: Environment): string[] {
  const isSet = ({ name }: { readonly name: string }) => (environment[name] ?? '').trim() !== '';
  const ignored = ignoredVariables.filter(isSet).map(({ name, why }) => `${name} is ignored: ${why}`);
  const word = environment[behaviorMode]?.trim() ?? '';
  if (word === '' || presetOf(word) !== undefined) return ignored;
  return [
    ...ignored,
    `${behaviorMode}: ${JSON.stringify(word)} is not known and ignored; there are ${presets.join(', ')}`,
  ];
}

function levelOf(text: string): string {
  const word = text.toLowerCase();
  return levelWords[word] ?? word;
}

/** The words of older versions are those of the presets. */
function presetOf(word: string): Preset | undefined {
  return presets.find((preset) => preset === word.trim().toLowerCase());
}
