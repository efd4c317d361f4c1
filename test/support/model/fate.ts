/**
 * What may have become of one finding's event, as requirements F2 and F3 have it. What a daemon has not had the time to
 * write yet is a fate of its own, because another report can overtake it.
 */

/** `creating`, `resolving`, `reopening`: known to the daemon, on the server or not yet. */
export type Fate = 'absent' | 'creating' | 'active' | 'resolving' | 'resolved' | 'reopening';

/**
 * What all reports of a report key together say of a finding.
 *
 * - held: one of them lists it, at or above the threshold.
 * - filtered: it is listed, but only below the threshold: neither news nor fixed.
 * - cleared: each is complete, none lists it, and one is newer than all that did.
 * - doubtful: cleared, but for a report that cannot be read and may hold it; both answers are right.
 * - stale: complete reports lack it, but they are older than the one that held it and vanished. No evidence for whoever
 *   remembers that; a new process knows only what is there.
 * - silent: nothing that proves anything: no report, or a partial one.
 */
export type Evidence = 'held' | 'filtered' | 'cleared' | 'doubtful' | 'stale' | 'silent';

/** One thing that happened since the events were looked at last. */
export type Happening =
  | { readonly kind: 'evidence'; readonly evidence: Evidence; readonly isRemembered: boolean }
  | { readonly kind: 'deleted by hand' | 'resolved by hand' | 'edited by hand' };

/** How exactly the daemon can have followed. */
export interface Circumstances {
  /** It was ended, or cut off: it may have missed anything but how things are now, and lost what it had not written. */
  readonly isDisturbed: boolean;
}

/** What an event may be found as when the daemon has come to rest. */
export type Outcome = 'absent' | 'active' | 'resolved';

const after: Readonly<Record<'held' | 'filtered' | 'cleared', Readonly<Record<Fate, readonly Fate[]>>>> = {
  held: {
    absent: ['creating'],
    creating: ['creating'],
    active: ['active'],
    resolving: ['reopening'],
    resolved: ['reopening'],
    reopening: ['reopening'],
  },
  filtered: {
    absent: ['absent'],
    creating: ['absent', 'active'],
    active: ['active'],
    resolving: ['active', 'resolved'],
    resolved: ['resolved'],
    reopening: ['active', 'resolved'],
  },
  cleared: {
    absent: ['absent'],
    creating: ['absent', 'resolving'],
    active: ['resolving'],
    resolving: ['resolving'],
    resolved: ['resolved'],
    reopening: ['resolving'],
  },
};

/** Fates that all happenings in a row can lead to, from one that was seen. The last happening is how things are now. */
export function fatesAfter(
  seen: Outcome,
  happenings: readonly Happening[],
  { isDisturbed }: Circumstances,
): ReadonlySet<Fate> {
  let fates: ReadonlySet<Fate> = new Set([seen]);
  let isLoose = isDisturbed;
  happenings.forEach((happening, index) => {
    const isLast = index === happenings.length - 1;
    if (happening.kind === 'evidence') {
      const next = take(fates, happening, isLoose);
      fates = isLoose && !isLast ? fates.union(next) : next;
      return;
    }
    fates = afterHand(happening.kind, fates, isLoose || index > 0);
    // From now on the daemon learns of two things at once, in an order that nobody knows.
    isLoose = true;
  });
  return fates;
}

/** As what the event may be found. */
export function outcomes(
  seen: Outcome,
  happenings: readonly Happening[],
  circumstances: Circumstances,
): ReadonlySet<Outcome> {
  const isExact = !circumstances.isDisturbed && happenings.every(({ kind }) => kind === 'evidence');
  const last = happenings.at(-1);
  const now = last?.kind === 'evidence' ? last.evidence : 'silent';
  const found = [...fatesAfter(seen, happenings, circumstances)].flatMap((fate): Outcome[] => {
    if (fate === 'creating') return isExact || now === 'held' ? ['active'] : ['absent', 'active'];
    if (fate === 'reopening') return isExact || now === 'held' ? ['active'] : ['active', 'resolved'];
    // States are compared: evidence that stood for a moment only may be missed, which is the safe side.
    if (fate === 'resolving') return now === 'cleared' ? ['resolved'] : ['active', 'resolved'];
    return [fate];
  });
  return new Set(found);
}

function take(
  fates: ReadonlySet<Fate>,
  { evidence, isRemembered }: Extract<Happening, { kind: 'evidence' }>,
  isLoose: boolean,
): ReadonlySet<Fate> {
  if (evidence === 'silent' || (evidence === 'stale' && isRemembered && !isLoose)) return fates;
  if (evidence === 'doubtful' || evidence === 'stale') return fates.union(moved(fates, 'cleared'));
  return moved(fates, evidence);
}

function moved(fates: ReadonlySet<Fate>, evidence: keyof typeof after): ReadonlySet<Fate> {
  return new Set([...fates].flatMap((fate) => after[evidence][fate]));
}

/** `isUnsure`: the daemon may be about to write the event for another reason. */
function afterHand(
  kind: Exclude<Happening['kind'], 'evidence'>,
  fates: ReadonlySet<Fate>,
  isUnsure: boolean,
): ReadonlySet<Fate> {
  if (kind === 'edited by hand') return fates;
  if (kind === 'resolved by hand') return fates.union(new Set<Fate>(['resolved', 'reopening']));
  return new Set(isUnsure ? ['absent', 'creating'] : ['absent']);
}
