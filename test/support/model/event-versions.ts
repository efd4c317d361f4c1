/**
 * Every version that each event of a namespace ever had, in order, by a watch of its own: what was written can be compared
 * with what it changed. A watch that ends goes on from where it was.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import type { ControlPlane } from '../../cluster/control-plane.ts';

/** A version as the server has it. */
export interface EventVersion {
  readonly metadata: Readonly<Record<string, unknown>> & { readonly name: string; readonly resourceVersion: string };
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

interface WatchLine {
  readonly type: string;
  readonly object: EventVersion;
}

export class EventVersions {
  readonly #url: string;
  readonly #agent: Agent;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #stopping = new AbortController();
  /** By name; undefined: the event was deleted. */
  readonly #versions = new Map<string, (EventVersion | undefined)[]>();
  #resourceVersion = '';
  #trouble: unknown;
  #watching: Promise<void> = Promise.resolve();

  private constructor(controlPlane: ControlPlane, path: string) {
    this.#url = controlPlane.server + path;
    this.#agent = new Agent({ connect: { ca: readFileSync(controlPlane.caPath) }, bodyTimeout: 0 });
    this.#headers = { authorization: `Bearer ${controlPlane.adminToken}` };
  }

  /** From now on; the collection must be empty. */
  static async begin(controlPlane: ControlPlane, path: string): Promise<EventVersions> {
    const versions = new EventVersions(controlPlane, path);
    const { body } = await request(versions.#url, { dispatcher: versions.#agent, headers: versions.#headers });
    const { metadata } = (await body.json()) as { metadata: { resourceVersion: string } };
    versions.#resourceVersion = metadata.resourceVersion;
    versions.#watching = versions.#watch();
    return versions;
  }

  /** How many versions the event had, over all events of its name; throws when the watch is broken for good. */
  count(name: string): number {
    if (this.#trouble !== undefined) throw new Error('the watch on the events broke', { cause: this.#trouble });
    return (this.#versions.get(name) ?? []).filter((version) => version !== undefined).length;
  }

  /** Versions that say no more than the one before them. */
  idle(): string[] {
    return [...this.#versions].flatMap(([name, versions]) =>
      versions.flatMap((version, index) => {
        const before = index === 0 ? undefined : versions[index - 1];
        if (version === undefined || before === undefined || meaning(version) !== meaning(before)) return [];
        return [`${name}@${version.metadata.resourceVersion} says what @${before.metadata.resourceVersion} said`];
      }),
    );
  }

  /** Its versions in a line each. */
  tell(name: string): string {
    const lines = (this.#versions.get(name) ?? []).map((version) => {
      if (version === undefined) return 'deleted';
      const { metadata, spec, status = {} } = version;
      const words = [spec['severity'], status['phase'], 'from', spec['origin']?.['name' as never]];
      return `@${metadata.resourceVersion} ${words.join(' ')}`;
    });
    return lines.map((line) => `\n  ${line}`).join('');
  }

  async end(): Promise<void> {
    this.#stopping.abort();
    await this.#watching;
    await this.#agent.destroy();
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted && this.#trouble === undefined) {
      try {
        const query = `watch=true&allowWatchBookmarks=true&resourceVersion=${this.#resourceVersion}`;
        const options = { dispatcher: this.#agent, headers: this.#headers, signal };
        const { body, statusCode } = await request(`${this.#url}?${query}`, options);
        if (statusCode !== 200) await body.dump();
        else for await (const line of createInterface({ input: body })) this.#take(JSON.parse(line) as WatchLine);
      } catch {
        // The API server was killed, or this was ended; half a line is told again.
      }
      if (!signal.aborted) await sleep(50);
    }
  }

  #take({ type, object }: WatchLine): void {
    if (type === 'ERROR') {
      this.#trouble = object;
      return;
    }
    const { name, resourceVersion } = object.metadata;
    this.#resourceVersion = resourceVersion;
    if (type === 'BOOKMARK') return;
    const versions = this.#versions.get(name) ?? [];
    versions.push(type === 'DELETED' ? undefined : object);
    this.#versions.set(name, versions);
  }
}

/** What an event says, without what may move though the finding does not (ADR 0007). */
function meaning({ metadata, spec, status = {} }: EventVersion): string {
  const { labels, annotations } = metadata;
  const { observedOn: _, ...details } = (spec['details'] ?? {}) as Record<string, unknown>;
  const { origin: __, ...rest } = spec;
  const { lastSeen: ___, ...life } = status;
  return JSON.stringify([
    sorted(labels),
    sorted(annotations),
    sorted({ ...rest, details: '' }),
    sorted(details),
    sorted(life),
  ]);
}

function sorted(fields: unknown): [string, unknown][] {
  return Object.entries((fields ?? {}) as Record<string, unknown>).sort(([a], [b]) => (a < b ? -1 : 1));
}
