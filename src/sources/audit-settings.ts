/** The tables of rules that a configuration makes of the default ones. */
import { defaultAuditExclusions } from './audit-default-exclusions.ts';
import { defaultAuditRules } from './audit-default-rules.ts';
import type { AuditExclusion, AuditRule } from './audit-rules.ts';

/** What a configuration says: of a name that is there already the given one takes its place, new ones go first. */
export interface AuditSettings {
  readonly rules: readonly (AuditRule | SwitchedOff)[];
  readonly exclusions: readonly (AuditExclusion | SwitchedOff)[];
  /** False: none of the default rules and exclusions. */
  readonly defaults: boolean;
  /** Users (patterns) whose reads of Secrets are routine, besides the default ones. */
  readonly secretReaders: readonly string[];
  /** Users (patterns) that zen-watcher itself is. */
  readonly ownAccounts: readonly string[];
}

/** The rule or exclusion of that name does not count. */
export interface SwitchedOff {
  readonly name: string;
  readonly enabled: false;
}

/** What is there without a configuration. */
export const defaultAuditSettings: AuditSettings = {
  rules: [],
  exclusions: [],
  defaults: true,
  secretReaders: [],
  ownAccounts: ['system:serviceaccount:zen-system:zen-watcher'],
};

/** The tables in force. */
export function auditTables(settings: AuditSettings): {
  readonly rules: readonly AuditRule[];
  readonly exclusions: readonly AuditExclusion[];
} {
  const { defaults, secretReaders, ownAccounts } = settings;
  const exclusions = merged(settings.exclusions, defaults ? defaultAuditExclusions : []);
  return {
    rules: merged(settings.rules, defaults ? defaultAuditRules : []),
    exclusions: [
      // What zen-watcher does makes events that make events.
      { name: 'own-account', why: 'zen-watcher itself', match: { users: ownAccounts } },
      ...(secretReaders.length === 0 ? [] : [readers(secretReaders)]),
      ...exclusions,
    ],
  };
}

function readers(users: readonly string[]): AuditExclusion {
  return { name: 'configured-secret-readers', why: 'by the configuration', match: { users }, rules: ['secret-read'] };
}

/** Those given under a known name in its place, the others first: of one event type the first rule decides. */
function merged<Row extends { readonly name: string }>(
  given: readonly (Row | SwitchedOff)[],
  known: readonly Row[],
): readonly Row[] {
  const byName = new Map(given.map((row) => [row.name, row]));
  const names = new Set(known.map(({ name }) => name));
  const rows = [...given.filter(({ name }) => !names.has(name)), ...known.map((row) => byName.get(row.name) ?? row)];
  return rows.filter((row): row is Row => !('enabled' in row && row.enabled === false));
}
