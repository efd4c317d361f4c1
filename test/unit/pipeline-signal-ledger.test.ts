/** What was counted of signals, and when their repeats are written: the parts by themselves. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { RecentSignals, repeatStepsMs } from '../../src/pipeline/recent-signals.ts';
import { SignalLedger } from '../../src/pipeline/signal-ledger.ts';
import type { SignalNature } from '../../src/sources/source.ts';

const nothing = { untilMs: 0, count: 0 };

/** An object that has counted so many, the first and the last at these milliseconds. */
function counting(occurrences: number, firstMs: number, lastMs: number): SignalNature {
  return { kind: 'signal', cumulative: true, occurrences, firstAt: new Date(firstMs), at: new Date(lastMs) };
}

function withIds(...occurrenceIds: string[]): SignalNature {
  return { kind: 'signal', occurrences: occurrenceIds.length, occurrenceIds, at: new Date(1) };
}

/** What is owed, which is then noted. */
function count(ledger: SignalLedger, nature: SignalNature, object = 1, before = nothing): number {
  const owed = ledger.owed('event', object, nature, before);
  ledger.note('event', object, nature);
  return owed;
}

suite('signal ledger', () => {
  test('of an object that counts only what is new is owed', () => {
    const ledger = new SignalLedger();
    const owed = [counting(3, 10, 30), counting(3, 10, 30), counting(8, 10, 50)].map((one) => count(ledger, one));
    assert.deepEqual(owed, [3, 0, 5]);
    assert.equal(count(ledger, counting(2, 40, 50), 2), 2, 'another object counts for itself');
    assert.equal(ledger.objects, 2);
  });

  test('what is not noted is owed again', () => {
    const ledger = new SignalLedger();
    assert.equal(ledger.owed('event', 1, counting(3, 10, 30), nothing), 3);
    assert.equal(count(ledger, counting(3, 10, 30)), 3);
  });

  test('an older state of an object after a newer one adds nothing and takes nothing away', () => {
    const ledger = new SignalLedger();
    const owed = [counting(5, 10, 50), counting(3, 10, 30), counting(5, 10, 50), counting(6, 10, 60)];
    assert.deepEqual(
      owed.map((one) => count(ledger, one)),
      [5, 0, 0, 1],
    );
  });

  test('an object that is gone and made again goes on where it was, unless it begins anew', () => {
    const ledger = new SignalLedger();
    count(ledger, counting(50, 10, 500));
    ledger.gone(1);
    assert.equal(ledger.objects, 0);
    assert.equal(count(ledger, counting(51, 10, 9_000)), 1);
    ledger.gone(1);
    assert.equal(count(ledger, counting(4, 9_500, 9_900)), 4);
    assert.equal(count(ledger, counting(5, 9_500, 9_950)), 1);
  });

  test('of so many objects that are gone the last ones are remembered', () => {
    const ledger = new SignalLedger();
    for (let object = 1; object <= 10_001; object += 1) {
      count(ledger, counting(9, 10, 20), object);
      ledger.gone(object);
    }
    assert.equal(count(ledger, counting(10, 10, 30), 2), 1);
    assert.equal(count(ledger, counting(10, 10, 30), 1), 10, 'the oldest is forgotten');
  });

  test('after a restart the event says what was counted', () => {
    const before = { untilMs: 100, count: 7 };
    const cases: [SignalNature, number, string][] = [
      [counting(7, 10, 99), 0, 'its last time is earlier'],
      [counting(7, 10, 100), 0, 'its last time is the same, and so is the count'],
      [counting(9, 10, 100), 2, 'its last time is the same, but more happened then'],
      [counting(3, 101, 140), 3, 'its first time is later'],
      [counting(9, 10, 140), 2, 'it spans the time: what goes beyond the count'],
      [counting(4, 10, 140), 1, 'it spans the time, and others were counted with it: at least one'],
    ];
    for (const [nature, owed, why] of cases) {
      const ledger = new SignalLedger();
      assert.equal(count(ledger, nature, 1, before), owed, why);
      // From then on it counts by itself, whatever the event says.
      assert.equal(count(ledger, { ...nature, occurrences: nature.occurrences + 2 }, 1, before), 2, why);
    }
  });

  test('an id is counted once per event; repeated ones of one input too', () => {
    const ledger = new SignalLedger();
    assert.equal(count(ledger, withIds('a', 'b', 'a')), 2);
    assert.equal(count(ledger, withIds('b', 'c')), 1);
    assert.equal(ledger.owed('other event', 1, withIds('a'), nothing), 1);
  });

  test('what has neither ids nor a total is new each time', () => {
    const ledger = new SignalLedger();
    const plain: SignalNature = { kind: 'signal', occurrences: 2, at: new Date(1) };
    assert.deepEqual([count(ledger, plain), count(ledger, plain)], [2, 2]);
    assert.equal(ledger.objects, 0);
  });
});

suite('repeats of a signal', () => {
  /** How long after each of the writes the next one is due. */
  function steps(recent: RecentSignals, writes: number, startMs = 0): number[] {
    let nowMs = startMs;
    return Array.from({ length: writes }, () => {
      recent.ended('event', false, nowMs);
      const step = recent.dueMs('event') - nowMs;
      nowMs += step;
      return step;
    });
  }

  test('are due 10 s, 30 s, 1, 5 and 15 min after the last write, and every 15 min from then on', () => {
    const recent = new RecentSignals();
    assert.equal(recent.dueMs('event'), 0);
    recent.asked('event', nothing, 0);
    assert.deepEqual(steps(recent, 7), [...repeatStepsMs, 900_000, 900_000]);
    assert.deepEqual(repeatStepsMs, [10_000, 30_000, 60_000, 300_000, 900_000]);
  });

  test('wait for the first step while the first write is under way', () => {
    const recent = new RecentSignals();
    recent.asked('event', nothing, 500);
    assert.equal(recent.dueMs('event'), 10_500);
  });

  test('begin anew after an hour without a write, and then the present state of the event counts', () => {
    const recent = new RecentSignals();
    recent.asked('event', { untilMs: 5, count: 2 }, 0);
    const lastMs = steps(recent, 3).reduce((sum, step) => sum + step, 0) - 60_000;
    recent.asked('other', nothing, lastMs + 3_599_999);
    assert.deepEqual(recent.countedBefore('event')?.count, 2);
    recent.asked('another', nothing, lastMs + 3_600_000);
    assert.equal(recent.countedBefore('event'), undefined);
    assert.equal(recent.dueMs('event'), 0);
    assert.equal(recent.size, 2, 'what was not written lately is not remembered');
  });

  test('of what had been counted the first answer stays: later ones hold what this process wrote', () => {
    const recent = new RecentSignals();
    recent.asked('event', { untilMs: 5, count: 2 }, 0);
    recent.asked('event', { untilMs: 900, count: 30 }, 10);
    assert.equal(recent.countedBefore('event')?.untilMs, 5);
  });
});
