/** Dividing what is scarce: whole units, fair to the small, the same for the same question. */

/**
 * Gives each as much as it wants as far as `room` goes: nobody gets more than another who would have liked more too. Units
 * that do not divide go to the first in order.
 */
export function levelled(wanted: readonly number[], room: number): number[] {
  const given = wanted.map(() => 0);
  const order = wanted.map((_, at) => at).sort((a, b) => (wanted[a] ?? 0) - (wanted[b] ?? 0) || a - b);
  let left = Math.max(0, room);
  for (const [turn, at] of order.entries()) {
    const others = order.length - turn;
    const want = wanted[at] ?? 0;
    if (want * others <= left) {
      given[at] = want;
      left -= want;
      continue;
    }
    const level = Math.floor(left / others);
    const last = order.slice(turn).sort((a, b) => a - b);
    for (const [place, one] of last.entries()) given[one] = level + (place < left % others ? 1 : 0);
    return given;
  }
  return given;
}

/** The same, where those who have something now keep it before anybody gets more. */
export function levelledKeeping(wanted: readonly number[], current: readonly number[], room: number): number[] {
  const kept = wanted.map((want, at) => Math.min(want, current[at] ?? 0));
  const sum = total(kept);
  if (sum >= room) return levelled(kept, room);
  const more = levelled(
    wanted.map((want, at) => want - (kept[at] ?? 0)),
    room - sum,
  );
  return kept.map((one, at) => one + (more[at] ?? 0));
}

/** The sum. */
export function total(numbers: Iterable<number>): number {
  let sum = 0;
  for (const one of numbers) sum += one;
  return sum;
}
