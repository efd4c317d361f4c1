/** The event budget of several shards: an equal part for each, which the others cannot use up. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Books } from '../../src/pipeline/books.ts';
import { Budget } from '../../src/pipeline/budget.ts';
import { Budgets } from '../../src/pipeline/budgets.ts';
import { EventIndex } from '../../src/pipeline/event-index.ts';
import { Shards } from '../../src/pipeline/shards.ts';
import { Summaries } from '../../src/pipeline/summaries.ts';
import { WorkQueue } from '../../src/pipeline/work-queue.ts';
import { presentOf } from '../support/intents.ts';

const moment = { now: new Date(0), monotonicMs: 0 };

/** Ten events in two shards, of which some are read and led in. */
function setUp(scope: readonly number[], led: readonly number[]) {
  const shards = new Shards(2);
  shards.setScope(scope);
  const index = new EventIndex();
  const queue = new WorkQueue({ items: 100, bytes: 2 ** 20 }, () => 0);
  const told: boolean[] = [];
  const budgets = new Budgets({
    index,
    shards,
    make: (shard, cappedChanged) =>
      new Budget({
        index,
        queue,
        books: new Books(),
        shard,
        events: 5,
        summaries: new Summaries({
          ...{ index, queue, shard, isSharded: true, intervalMs: 0, cluster: undefined },
          namespaceFor: () => 'zen',
        }),
        monotonicMs: () => 0,
        isSettled: () => led.includes(shard),
        unfold: () => false,
        lookSoon: () => {},
        cappedChanged,
      }),
    cappedChanged: (isCapped) => void told.push(isCapped),
  });
  /** A finding of the shard that a report holds. Whether it may have its event, which is made then. */
  const hold = (id: string, shard: number): boolean => {
    const intent = { ...presentOf(id), shard };
    const row = index.obtain(intent.key, 'zen');
    const facts = {
      severity: 'low',
      resourceNamespace: `team-${shard}`,
      shard,
      resourceHash: 0,
      isPod: false,
    } as const;
    index.setFacts(row, { ...facts, reportKind: 'k', policy: '', isSignal: false });
    index.addHolder(row, 1);
    const isAdmitted = budgets.admits(row);
    if (isAdmitted) queue.put(intent);
    return isAdmitted;
  };
  return { budgets, hold, told };
}

suite('budgets of shards', () => {
  test('one that is full folds its own findings, and another one has room', () => {
    const { budgets, hold, told } = setUp([0, 1], [0, 1]);
    const admitted = Array.from({ length: 8 }, (_, index) => hold(`a${index}`, 0));
    assert.equal(admitted.filter(Boolean).length, 5);
    budgets.look(moment);
    assert.deepEqual(told, [true]);
    assert.ok(hold('b', 1), 'the part of the other shard');
    assert.deepEqual([budgets.state.limit, budgets.state.folded.get('tool')], [10, 3]);
    // What another replica plans is not ours to know.
    budgets.forgetPlan(0);
    assert.ok(hold('c', 1));
  });

  test('what is not read is not counted', () => {
    const { budgets, hold } = setUp([1], [1]);
    hold('a', 1);
    budgets.look(moment);
    assert.deepEqual([budgets.state.used, budgets.state.limit], [1, 5]);
  });
});
