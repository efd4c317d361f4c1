/** What is wrong with a configuration, in words: the place, and what would be right there. Never the value itself. */
import type * as z from 'zod/mini';

/** Words for what a schema has none of its own for. */
export function wordsFor(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => `there is no key ${key}${suggestion(key, issue.inst)}`).join('; ');
    case 'invalid_type':
      return issue.input === undefined ? `required: ${issue.expected}` : `must be ${withArticle(issue.expected)}`;
    case 'invalid_value':
      return `one of ${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return `at least ${issue.minimum}${unitOf(issue.origin)}`;
    case 'too_big':
      return `at most ${issue.maximum}${unitOf(issue.origin)}`;
    case 'invalid_key':
      return issue.issues.map(({ message }) => `not a key: ${message}`).join('; ');
    default:
      return 'is not valid';
  }
}

/** `; did you mean perSecond?`: the key of the schema that is nearest, when one is near. */
function suggestion(key: string, schema: unknown): string {
  const known = Object.keys((schema as { _zod?: { def?: { shape?: object } } } | undefined)?._zod?.def?.shape ?? {});
  const [nearest] = known
    .map((name) => ({ name, distance: distanceOf(key.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  if (nearest === undefined || nearest.distance > Math.max(1, key.length / 3)) return '';
  return `; did you mean ${nearest.name}?`;
}

/** How many letters have to be put in, left out or changed. */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(same, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** `filters[2].namespace`; `(top)` for the whole. */
export function placeOf(path: readonly PropertyKey[]): string {
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
  return text.replace(/^\./, '') || '(top)';
}

function withArticle(type: string): string {
  return type === 'object' || type === 'array' ? `an ${type}` : `a ${type}`;
}

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' ? ' entries' : '';
}
