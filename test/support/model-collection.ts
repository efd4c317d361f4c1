/** A model of an API server with one collection: it is honest about its objects, while its connections fail as scripted. */
import type { ServerResponse } from 'node:http';
import { added, bookmark, errorEvent, line, listed, MisbehavingServer, widget } from './misbehaving-server.ts';

/** What goes wrong with one request. `after` counts the lines that get through before. */
export type ConnectionFault =
  | { readonly kind: 'cut' | 'half line' | 'end' | 'garbage' | 'stall'; readonly after: number }
  | { readonly kind: 'error event'; readonly after: number; readonly code: number }
  | { readonly kind: 'status'; readonly code: number }
  | { readonly kind: 'replay' };

interface Change {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly name: string;
  readonly version: number;
}

/** One open watch. */
interface Watcher {
  readonly response: ServerResponse;
  linesLeft: number;
  readonly fault: ConnectionFault | undefined;
}

const pageSize = 2;

export class ModelCollection {
  readonly server = new MisbehavingServer();
  readonly history: Change[] = [];
  readonly objects = new Map<string, number>();
  canStream = true;
  version = 1;
  #oldest = 0;
  #faults: ConnectionFault[] = [];
  readonly #watchers = new Set<Watcher>();

  constructor() {
    this.server.play((response, { kind, query }) => {
      const fault = this.#faults.shift();
      const from = Number(query.get('resourceVersion') ?? 0);
      if (fault?.kind === 'status') refuse(response, fault.code);
      else if (kind === 'list') this.#list(response, query.get('continue'), fault);
      else if (kind === 'stream list' && !this.canStream) refuse(response, 422);
      else if (kind === 'watch' && from < this.#oldest) refuse(response, 410);
      else this.#open(response, kind === 'stream list' ? undefined : from, fault);
    });
  }

  /** Creates or changes it. */
  put(name: string): void {
    this.#change(this.objects.has(name) ? 'MODIFIED' : 'ADDED', name);
    this.objects.set(name, this.version);
  }

  remove(name: string): void {
    if (this.objects.delete(name)) this.#change('DELETED', name);
  }

  /** Forgets the past: watches from there get 410. */
  compact(): void {
    this.#oldest = this.version;
  }

  /** This goes wrong with the next request that nothing is planned for. */
  plan(fault: ConnectionFault): void {
    this.#faults.push(fault);
  }

  /** Ends what is open. */
  breakAll(how: 'end' | 'cut'): void {
    for (const { response } of this.#watchers) {
      if (how === 'end') response.end();
      else response.destroy();
    }
  }

  /** From now on nothing goes wrong; stalled connections are ended. */
  heal(): void {
    this.#faults = [];
    this.breakAll('end');
  }

  /** Whether the object was deleted after this version of it. */
  wasDeletedAfter(name: string, version: number): boolean {
    return this.history.some((change) => change.type === 'DELETED' && change.name === name && change.version > version);
  }

  #open(response: ServerResponse, from: number | undefined, fault: ConnectionFault | undefined): void {
    response.writeHead(200).flushHeaders();
    const linesLeft = fault !== undefined && 'after' in fault ? fault.after : -1;
    const watcher: Watcher = { response, fault, linesLeft };
    this.#watchers.add(watcher);
    response.on('close', () => this.#watchers.delete(watcher));
    if (from === undefined || fault?.kind === 'replay') {
      for (const [name, version] of this.objects) {
        if (from === undefined || version <= from) this.#send(watcher, added(name, version));
      }
    }
    for (const change of this.history) {
      if (from !== undefined && change.version > from) this.#send(watcher, lineOf(change));
    }
    this.#send(watcher, (from === undefined ? listed : bookmark)(this.version));
  }

  #change(type: Change['type'], name: string): void {
    this.version += 1;
    const change = { type, name, version: this.version };
    this.history.push(change);
    for (const watcher of this.#watchers) this.#send(watcher, lineOf(change));
  }

  #send(watcher: Watcher, text: string): void {
    if (watcher.linesLeft === 0) this.#fail(watcher, text);
    else if (!watcher.response.writableEnded) watcher.response.write(text);
    if (watcher.linesLeft > 0) watcher.linesLeft -= 1;
  }

  /** A stalled one just says nothing. */
  #fail({ response, fault }: Watcher, text: string): void {
    if (response.writableEnded || response.destroyed) return;
    if (fault?.kind === 'cut') response.write('\n', () => setImmediate(() => response.destroy()));
    else if (fault?.kind === 'half line') response.end(text.slice(0, text.length / 2));
    else if (fault?.kind === 'end') response.end();
    else if (fault?.kind === 'garbage') response.write('{"type":\n');
    else if (fault?.kind === 'error event') response.end(errorEvent({ code: fault.code }));
  }

  /** Pages of a snapshot; the token says where the next one begins and of when it is. */
  #list(response: ServerResponse, token: string | null, fault: ConnectionFault | undefined): void {
    const [start = 0, version = this.version] = token === null ? [] : token.split('-').map(Number);
    if (version < this.#oldest) {
      refuse(response, 410);
      return;
    }
    const items = [...this.#snapshot(version)].sort(([a], [b]) => (a < b ? -1 : 1));
    const page = items.slice(start, start + pageSize).map(([name, at]) => widget(name, at));
    const next = start + pageSize < items.length ? `${start + pageSize}-${version}` : '';
    const text = line({ metadata: { resourceVersion: String(version), continue: next }, items: page });
    const half = text.slice(0, text.length / 2);
    if (fault === undefined || fault.kind === 'replay') response.end(text);
    else if (fault.kind === 'garbage') response.end('{"kind":"Status"}');
    else if (fault.kind === 'half line' || fault.kind === 'end') response.end(half);
    else response.write(half, () => response.destroy());
  }

  #snapshot(version: number): Map<string, number> {
    const snapshot = new Map<string, number>();
    for (const change of this.history) {
      if (change.version > version) break;
      if (change.type === 'DELETED') snapshot.delete(change.name);
      else snapshot.set(change.name, change.version);
    }
    return snapshot;
  }
}

function refuse(response: ServerResponse, code: number): void {
  response.writeHead(code).end('{}');
}

function lineOf({ type, name, version }: Change): string {
  return line({ type, object: widget(name, version) });
}
