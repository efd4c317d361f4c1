/** Every failure of a request to the API server, as one class with the server's own reason where it gave one. */
import { parseRecord } from '../lib/json.ts';

/** What a Status is about: `zenagentevents` and its name, or the namespace or quota that stood in the way. */
export interface StatusTarget {
  /** Plural name of the resource, in spite of the field's name. */
  readonly kind: string;
  readonly name: string;
}

export interface KubeErrorParts {
  /** HTTP status; 0 when no answer came. */
  readonly status: number;
  /**
   * reason of the Status object: AlreadyExists, Conflict, Expired, Forbidden, ...; where no answer came NoAnswer,
   * Credentials, TooLong (the answer), Malformed, Silent or Cut (a watch), Absent (a collection that is not served).
   */
  readonly reason: string;
  readonly message: string;
  /** How long the server asks to wait. */
  readonly retryAfterMs?: number | undefined;
  /** details.causes[].reason of the Status object. */
  readonly causes?: readonly string[];
  readonly target?: StatusTarget | undefined;
  readonly cause?: unknown;
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

const maximumMessageCharacters = 512;

export class KubeError extends Error {
  readonly code = 'KUBE_ERROR';
  readonly status: number;
  readonly reason: string;
  readonly retryAfterMs: number | undefined;
  readonly causes: readonly string[];
  /** Undefined where the answer names no object: a path that is not served, a proxy. */
  readonly target: StatusTarget | undefined;

  constructor(parts: KubeErrorParts) {
    super(parts.message, parts.cause === undefined ? {} : { cause: parts.cause });
    this.name = 'KubeError';
    this.status = parts.status;
    this.reason = parts.reason;
    this.retryAfterMs = parts.retryAfterMs;
    this.causes = parts.causes ?? [];
    this.target = parts.target;
  }

  /** From an answer with an error status: a Status object usually, but proxies answer with anything. */
  static fromAnswer(status: number, headers: Headers, body: Buffer): KubeError {
    const parsed = parseRecord(body);
    const details = asRecord(parsed?.['details']);
    const causes = Array.isArray(details?.['causes']) ? details['causes'] : [];
    const text = typeof parsed?.['message'] === 'string' ? parsed['message'] : body.toString('utf8', 0, 200).trim();
    return new KubeError({
      status,
      reason: typeof parsed?.['reason'] === 'string' ? parsed['reason'] : '',
      // A path that is not served is answered `404 page not found`.
      message: (text.startsWith(`${status} `) ? text : `${status} ${text}`).slice(0, maximumMessageCharacters),
      retryAfterMs: retryAfter(headers, details),
      causes: causes.map((cause) => String(asRecord(cause)?.['reason'] ?? '')),
      target: targetOf(details),
    });
  }

  /** From the object of a watch's ERROR event. */
  static fromStatus(object: Readonly<Record<string, unknown>>): KubeError {
    const status = typeof object['code'] === 'number' ? object['code'] : 0;
    return KubeError.fromAnswer(status, {}, Buffer.from(JSON.stringify(object)));
  }

  /** From a connection that failed or ended. */
  static fromFailure(error: unknown): KubeError {
    const text = error instanceof Error ? rootMessage(error) : String(error);
    return new KubeError({
      status: 0,
      reason: 'NoAnswer',
      message: text.slice(0, maximumMessageCharacters),
      cause: error,
    });
  }
}

/** The innermost message: undici wraps "connect ECONNREFUSED" in "fetch failed" and the like. */
function rootMessage(error: Error): string {
  const inner = error.cause instanceof Error ? error.cause : undefined;
  if (inner !== undefined) return rootMessage(inner);
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return rootMessage(error.errors[0]);
  return error.message || error.name;
}

function retryAfter(headers: Headers, details: Readonly<Record<string, unknown>> | undefined): number | undefined {
  const header = headers['retry-after'];
  const seconds = Number(typeof header === 'string' ? header : details?.['retryAfterSeconds']);
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 300) * 1000 : undefined;
}

function targetOf(details: Readonly<Record<string, unknown>> | undefined): StatusTarget | undefined {
  const { kind, name } = details ?? {};
  return typeof kind === 'string' && typeof name === 'string' && name !== '' ? { kind, name } : undefined;
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
}
