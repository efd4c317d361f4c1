/** What is wrong with a configuration, in words: the place, and what would be right there. Never the value itself. */
import type * as z from 'zod/mini';

/** Words for what a schema has none of its own for. */
export function wordsFor(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'unrecognized_keys':
      return `there is no key ${issue.keys.join(', ')}`;
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
