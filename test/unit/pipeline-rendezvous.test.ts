/** To whom a key belongs: the same for all, even, and moved as little as possible (R7). */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { ownerOf } from '../../src/pipeline/rendezvous.ts';

const keys = Array.from({ length: 20_000 }, (_, index) => `falco-${index}`);

function countByOwner(members: readonly number[]): Map<number | undefined, number> {
  const counts = new Map<number | undefined, number>();
  for (const key of keys) counts.set(ownerOf(key, members), (counts.get(ownerOf(key, members)) ?? 0) + 1);
  return counts;
}

suite('rendezvous', () => {
  test('without members a key belongs to nobody, with one to that', () => {
    assert.equal(ownerOf('a', []), undefined);
    assert.deepEqual([...countByOwner([7])], [[7, keys.length]]);
  });

  test('the order in which members are known does not matter', () => {
    for (const key of keys.slice(0, 1000)) assert.equal(ownerOf(key, [0, 1, 2, 3]), ownerOf(key, [2, 0, 3, 1]));
  });

  test('every member has its share, within a twentieth', () => {
    for (const members of [
      [0, 1],
      [0, 1, 2],
      [0, 2, 5, 9],
    ]) {
      const share = keys.length / members.length;
      const counts = countByOwner(members);
      assert.deepEqual([...counts.keys()].sort(), members);
      for (const [member, count] of counts) assert.ok(Math.abs(count - share) < share / 20, `${member} has ${count}`);
    }
  });

  test('when a member leaves, only its keys move; when one comes, keys move only to it', () => {
    const moved = keys.filter((key) => ownerOf(key, [0, 1, 2]) !== ownerOf(key, [0, 2]));
    assert.ok(moved.length > 0);
    for (const key of moved) assert.equal(ownerOf(key, [0, 1, 2]), 1);
  });

  test('keys that differ in one character are spread', () => {
    const owners = new Set(Array.from({ length: 16 }, (_, index) => ownerOf(`n${index}`, [0, 1])));
    assert.equal(owners.size, 2);
  });

  test('the answers are these, also in the next release: replicas of two releases work at the same time', () => {
    const owners = ['falco-a', 'falco-b', 'audit-c', 'team-1', 'team-2', ''].map((key) => ownerOf(key, [0, 1, 2]));
    assert.deepEqual(owners, [1, 1, 1, 2, 0, 1]);
  });
});
