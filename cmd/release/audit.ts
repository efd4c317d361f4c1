/** What an answer of `npm audit --json` means. A registry without the endpoint has said nothing, which is no pass. */

/** What there is to say of it. */
export interface AuditVerdict {
  /** 0: none known; 1: there are some; 3: nobody could be asked. */
  readonly code: 0 | 1 | 3;
  readonly words: string;
}

/** Reads what npm printed. */
export function auditVerdict(stdout: string, stderr: string): AuditVerdict {
  let answer: unknown;
  try {
    answer = JSON.parse(stdout);
  } catch {
    answer = undefined;
  }
  const counts = at(at(answer, 'metadata'), 'vulnerabilities');
  if (typeof counts !== 'object' || counts === null) {
    const why = at(answer, 'message') ?? at(at(answer, 'error'), 'summary') ?? stderr.trim().split('\n')[0];
    return { code: 3, words: `nothing was checked: the registry gives no answer to npm audit (${String(why)})` };
  }
  const found = ['info', 'low', 'moderate', 'high', 'critical']
    .map((word) => [word, Number(at(counts, word) ?? 0)] as const)
    .filter(([, count]) => count > 0);
  if (found.length === 0) return { code: 0, words: 'no known vulnerabilities' };
  return { code: 1, words: found.map(([word, count]) => `${count} ${word}`).join(', ') };
}

function at(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}
