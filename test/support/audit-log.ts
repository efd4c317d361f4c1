/** The API server's own account of who wrote what: its audit log, which has every request that was answered. */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { plural } from '../../src/api/event.ts';
import { canonicalJson } from '../../src/lib/hash.ts';

/** One request that was to change something. */
export interface AuditedWrite {
  readonly verb: string;
  readonly user: string;
  readonly userAgent: string;
  readonly namespace: string;
  readonly name: string;
  /** '' for the object itself. */
  readonly subresource: string;
  readonly code: number;
  /** It could only take effect on what it was decided on: a new name, or this version of the event. */
  readonly isConditional: boolean;
  /** The event as it was stored by a create or a change that succeeded. */
  readonly stored?: StoredAfter;
}

/** What a write left on the server. */
export interface StoredAfter {
  readonly resourceVersion: number;
  /** The version that a change was decided on; every change of ours names one, and the server holds it to that. */
  readonly decidedOn: number | undefined;
  /** What the event says of its finding, as one text. */
  readonly content: string;
}

interface AuditEntry {
  readonly stage: string;
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly userAgent?: string;
  readonly objectRef?: {
    readonly resource?: string;
    readonly namespace?: string;
    readonly name?: string;
    readonly subresource?: string;
  };
  readonly responseStatus?: { readonly code?: number };
  readonly requestObject?: AuditedObject;
  /** Metadata only, where the writer asked for no more. */
  readonly responseObject?: AuditedObject;
}

interface AuditedObject {
  /** Of the options of a delete. */
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly metadata?: { readonly resourceVersion?: string };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

const mutating = ['create', 'update', 'patch', 'delete', 'deletecollection'];
const chunkBytes = 4 * 1024 * 1024;

/** Reads the log as far as it has grown at each question. */
export class AuditLog {
  readonly #path: string;
  readonly #writes: AuditedWrite[] = [];
  readonly #reads: AuditedWrite[] = [];
  #offset = 0;
  #rest: Buffer = Buffer.alloc(0);

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * All requests so far to create, change or delete events in a namespace, with any status code: also those that were
   * refused. `skip` leaves out the first so many, as counted before.
   */
  writes(namespace: string, skip = 0): AuditedWrite[] {
    this.#catchUp();
    return this.#writes.filter((write) => write.namespace === namespace).slice(skip);
  }

  /** All requests so far of an account about events, in any namespace: reads and writes. namespace '' is all of them. */
  requestsOf(user: string): AuditedWrite[] {
    this.#catchUp();
    return [...this.#reads, ...this.#writes].filter((request) => request.user === user);
  }

  /** All writes so far to events, in any namespace. */
  allWrites(): readonly AuditedWrite[] {
    this.#catchUp();
    return this.#writes;
  }

  #catchUp(): void {
    const file = openSync(this.#path, 'r');
    try {
      const { size } = statSync(this.#path);
      while (this.#offset < size) {
        const chunk = Buffer.alloc(Math.min(chunkBytes, size - this.#offset));
        const read = readSync(file, chunk, 0, chunk.length, this.#offset);
        this.#offset += read;
        this.#take(Buffer.concat([this.#rest, chunk.subarray(0, read)]));
      }
    } finally {
      closeSync(file);
    }
  }

  #take(bytes: Buffer): void {
    const end = bytes.lastIndexOf(10) + 1;
    this.#rest = bytes.subarray(end);
    for (const line of bytes.toString('utf8', 0, end).split('\n')) {
      if (!line.includes(`"resource":"${plural}"`)) continue;
      const entry = JSON.parse(line) as AuditEntry;
      if (entry.stage === 'RequestReceived') continue;
      if (mutating.includes(entry.verb)) this.#writes.push(asWrite(entry));
      else if (entry.objectRef?.resource === plural) this.#reads.push(asWrite(entry));
    }
  }
}

function asWrite(entry: AuditEntry): AuditedWrite {
  const { verb, user, userAgent, objectRef, responseStatus } = entry;
  const stored = storedAfter(entry);
  return {
    ...(stored === undefined ? {} : { stored }),
    verb,
    user: user.username,
    userAgent: userAgent ?? '',
    namespace: objectRef?.namespace ?? '',
    name: objectRef?.name ?? '',
    subresource: objectRef?.subresource ?? '',
    code: responseStatus?.code ?? 0,
    isConditional: isConditional(entry),
  };
}

function isConditional({ verb, requestObject }: AuditEntry): boolean {
  if (verb === 'create') return true;
  const { preconditions, metadata } = requestObject ?? {};
  return (verb === 'delete' ? preconditions?.resourceVersion : metadata?.resourceVersion) !== undefined;
}

/** Times, the report's name and details.observedOn left out: they may be other than they were, but are no reason to write. */
function storedAfter({ verb, requestObject, responseObject }: AuditEntry): StoredAfter | undefined {
  const version = responseObject?.metadata?.resourceVersion;
  // What a create leaves is what was sent, with the schema's defaults for status.
  const object =
    verb === 'create' ? { spec: requestObject?.spec, status: { phase: 'Active', count: 1 } } : responseObject;
  if (version === undefined || object?.spec === undefined) return undefined;
  const { detectedAt: _detectedAt, origin: _origin, details, ...rest } = object.spec;
  const { observedOn: _observedOn, ...stable } = (details ?? {}) as Readonly<Record<string, unknown>>;
  const { lastSeen: _lastSeen, resolvedAt: _resolvedAt, ...state } = (object.status ?? {}) as Record<string, unknown>;
  return {
    resourceVersion: Number(version),
    decidedOn: asNumber(requestObject?.metadata?.resourceVersion),
    content: canonicalJson({ ...rest, details: stable, state }),
  };
}

function asNumber(version: string | undefined): number | undefined {
  return version === undefined ? undefined : Number(version);
}

/** `create 201` and the like with how often it occurs: what a test says of the writes in one line. */
export function tallyOf(writes: readonly AuditedWrite[]): Record<string, number> {
  const tally: Record<string, number> = {};
  for (const { verb, subresource, code } of writes) {
    const word = `${verb}${subresource === '' ? '' : ` ${subresource}`} ${code}`;
    tally[word] = (tally[word] ?? 0) + 1;
  }
  return tally;
}

/** Names that were created successfully more than once. */
export function createdTwice(writes: readonly AuditedWrite[]): string[] {
  const seen = new Set<string>();
  return writes.flatMap(({ verb, code, name }) => {
    if (verb !== 'create' || code >= 300) return [];
    if (seen.has(name)) return [name];
    seen.add(name);
    return [];
  });
}

/** Names that were created more often than they were deleted, and once. A deletion that was cut off may have taken effect. */
export function createdInExcess(writes: readonly AuditedWrite[]): string[] {
  const excess = new Map<string, number>();
  const isGone = ({ verb, code }: AuditedWrite) => verb === 'delete' && (code < 300 || code === 504);
  for (const write of writes) {
    const step = Number(write.verb === 'create' && write.code < 300) - Number(isGone(write));
    excess.set(write.name, (excess.get(write.name) ?? 0) + step);
  }
  return [...excess].filter(([, count]) => count > 1).map(([name]) => name);
}

/**
 * Writes that the server accepted although they left the event saying what it said before. Throws when the log does not
 * tell what a write left: then nothing can be said.
 */
export function writesWithoutChange(writes: readonly AuditedWrite[]): AuditedWrite[] {
  const before = new Map<string, StoredAfter>();
  const accepted = writes.filter(({ code, verb }) => code < 300 && !verb.startsWith('delete'));
  // Entries are in the order of the answers; requests of a process that was killed end when they end.
  const inOrder = accepted.toSorted((a, b) => storedOf(a).resourceVersion - storedOf(b).resourceVersion);
  return inOrder.filter((write) => {
    const stored = storedOf(write);
    const last = before.get(write.name);
    before.set(write.name, stored);
    if (stored.decidedOn === stored.resourceVersion) return true;
    // Decided on a version that nobody was answered with: a write took effect whose process was killed meanwhile.
    if (last === undefined || stored.decidedOn !== last.resourceVersion) return false;
    return last.content === stored.content;
  });
}

function storedOf({ verb, name, stored }: AuditedWrite): StoredAfter {
  if (stored === undefined) throw new Error(`the audit log does not tell what ${verb} of ${name} left`);
  return stored;
}
