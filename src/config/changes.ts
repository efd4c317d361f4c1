/** What of a changed configuration takes effect at once, and what needs a restart. */
import { canonicalJson } from '../lib/hash.ts';
import { rulesShape } from './rules-schema.ts';
import type { Config } from './schema.ts';

/** The keys, as `writes.perSecond`, in which a configuration differs from the one that the daemon started with. */
export function keysThatNeedRestart(started: Config, now: Config): string[] {
  return differences(fixedPart(started), fixedPart(now), 2);
}

type Tree = Readonly<Record<string, unknown>>;

/** All but the rules and the log level. */
function fixedPart(config: Config): Tree {
  const sources = Object.entries(config.sources).map(
    ([name, { severities: _words, ...rest }]) => [name, rest] as const,
  );
  const rest = Object.entries(config).filter(([key]) => key !== 'log' && !Object.hasOwn(rulesShape, key));
  return { ...Object.fromEntries(rest), sources: Object.fromEntries(sources) };
}

function differences(a: Tree, b: Tree, depth: number): string[] {
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
  return keys.flatMap((key) => {
    const [left, right] = [a[key], b[key]];
    if (canonicalJson(left ?? null) === canonicalJson(right ?? null)) return [];
    if (depth <= 1 || !isTree(left) || !isTree(right)) return [key];
    return differences(left, right, depth - 1).map((below) => `${key}.${below}`);
  });
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
