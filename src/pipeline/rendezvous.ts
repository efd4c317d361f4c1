/**
 * Rendezvous hashing: which of the members a key belongs to. Everybody who knows the same members gives the same answer;
 * when one leaves, only its own keys go elsewhere, evenly to all others, and when one comes, it takes from all alike.
 */
import { hash52 } from '../lib/hash.ts';

/** The member that the key belongs to; undefined when there are none. The order of members does not matter. */
export function ownerOf<Member extends string | number>(key: string, members: Iterable<Member>): Member | undefined {
  let owner: Member | undefined;
  let most = -1;
  for (const member of members) {
    const weight = hash52(`${member} ${key}`);
    if (weight < most || (weight === most && String(member) > String(owner))) continue;
    owner = member;
    most = weight;
  }
  return owner;
}
