/**
 * The reports that were sent to us. Nobody can read them again or list them, so that the last one of each report key stands
 * until another one of that key comes, as long as the process lives: after a restart its findings have their grace.
 */
import { LRUCache } from 'lru-cache';
import { canonicalJson, shortHash } from '../lib/hash.ts';
import type { Reading } from '../sources/source.ts';
import type { ObjectKey } from './report-table.ts';
import { objectKey, reportKindOf } from './report-table.ts';

/** A report that was sent is no object of Kubernetes: it has no API group. */
const type = { apiVersion: '', kind: 'Report' } as const;

/** The kind of all of them, as `group|Kind`. */
export const sentKind = reportKindOf(type.apiVersion, type.kind);

/** Report keys remembered, over all sources. */
const rememberedReports = 10_000;

/** The key of what stands for everything that a source sends of what happened. */
export function sentSignalKey(source: string): ObjectKey {
  return objectKey({ ...type, name: source });
}

/** Whether the key is of something that was sent. */
export function isSentKey(key: ObjectKey): boolean {
  return key.startsWith(`${sentKind}|`);
}

export class SentReports {
  readonly #keys: LRUCache<ObjectKey, true>;

  /** `forgotten`: so many others came since that a report counts as gone. */
  constructor(forgotten: (key: ObjectKey) => void, most = rememberedReports) {
    this.#keys = new LRUCache<ObjectKey, true>({
      max: most,
      dispose: (_value, key, reason) => (reason === 'evict' ? forgotten(key) : undefined),
    });
  }

  get size(): number {
    return this.#keys.size;
  }

  /** The key of the report that the reading is; it is the newest from now on. */
  keyOf(source: string, { reportKey }: Reading): ObjectKey {
    const key = objectKey({ ...type, name: `${source}/${shortHash(canonicalJson(reportKey))}` });
    this.#keys.set(key, true);
    return key;
  }
}
