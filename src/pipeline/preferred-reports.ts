/**
 * Which of several objects about one thing are read: while one that is preferred is there, the others are not. Pure; it
 * says what changes, and whoever reads the objects does it.
 */
import type { Standing } from '../sources/source.ts';
import type { ObjectKey } from './report-table.ts';

/** Objects that are to be read now, and such as are not to be read any more. */
export interface PreferenceChange {
  readonly read: readonly ObjectKey[];
  readonly drop: readonly ObjectKey[];
}

interface Group {
  readonly preferred: Set<ObjectKey>;
  readonly others: Set<ObjectKey>;
}

export class PreferredReports {
  readonly #groups = new Map<string, Group>();
  readonly #standings = new Map<ObjectKey, Standing>();

  /** Whether a preferred one stands in for the object. */
  isSuperseded(key: ObjectKey): boolean {
    const standing = this.#standings.get(key);
    if (standing === undefined || standing.isPreferred) return false;
    return (this.#groups.get(standing.about)?.preferred.size ?? 0) > 0;
  }

  /** The object is there, new or changed. `undefined`: it is about nothing that others are about. */
  told(key: ObjectKey, standing: Standing | undefined): PreferenceChange {
    const before = this.#standings.get(key);
    const isSame = before?.about === standing?.about && before?.isPreferred === standing?.isPreferred;
    const left = isSame ? nothing : this.#remove(key);
    const joined = isSame ? nothing : this.#add(key, standing);
    const read = [...left.read.filter((other) => !this.isSuperseded(other)), ...(this.isSuperseded(key) ? [] : [key])];
    return { read, drop: [...joined.drop, ...(this.isSuperseded(key) ? [key] : [])] };
  }

  /** The object is gone. */
  gone(key: ObjectKey): PreferenceChange {
    return this.#remove(key);
  }

  #add(key: ObjectKey, standing: Standing | undefined): PreferenceChange {
    if (standing === undefined) return nothing;
    const { about, isPreferred } = standing;
    const group = this.#groups.get(about) ?? { preferred: new Set(), others: new Set() };
    this.#groups.set(about, group);
    this.#standings.set(key, standing);
    (isPreferred ? group.preferred : group.others).add(key);
    return { read: [], drop: isPreferred && group.preferred.size === 1 ? [...group.others] : [] };
  }

  #remove(key: ObjectKey): PreferenceChange {
    const standing = this.#standings.get(key);
    const group = standing && this.#groups.get(standing.about);
    if (standing === undefined || group === undefined) return nothing;
    this.#standings.delete(key);
    const wasLast = group.preferred.delete(key) && group.preferred.size === 0;
    group.others.delete(key);
    if (group.preferred.size + group.others.size === 0) this.#groups.delete(standing.about);
    return { read: wasLast ? [...group.others] : [], drop: [] };
  }
}

const nothing: PreferenceChange = { read: [], drop: [] };
