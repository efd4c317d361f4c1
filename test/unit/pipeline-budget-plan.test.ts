/** What the event budget is spent on: properties of the plan for any numbers (F5). */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import type { Bucket, BudgetPlan } from '../../src/pipeline/budget-plan.ts';
import { groupKey, keepingOrder, planBudget } from '../../src/pipeline/budget-plan.ts';
import { levelled, levelledKeeping, total } from '../../src/pipeline/levelling.ts';

const sourceWords = ['trivy', 'kyverno', 'falco', 'kube-bench'];
const namespaceWords = ['', 'a', 'b', 'c', 'd', 'e', 'f', 'g'];

/** Buckets of all kinds, each at most once, in a fixed order. */
const bucketsOf = fc
  .uniqueArray(
    fc.record({
      source: fc.constantFrom(...sourceWords),
      namespace: fc.constantFrom(...namespaceWords),
      severity: fc.constantFrom(...keepingOrder),
      wanted: fc.oneof(fc.nat(20), fc.nat(400)),
      current: fc.nat(400),
    }),
    { selector: ({ source, namespace, severity }) => `${source}/${namespace}/${severity}`, maxLength: 60 },
  )
  .map((buckets) =>
    buckets
      .map((bucket) => ({ ...bucket, current: Math.min(bucket.current, bucket.wanted) }))
      .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
  );
const eventsOf = fc.integer({ min: 10, max: 2_000 });

/** What the plan folds of each bucket. */
const foldedOf = (buckets: readonly Bucket[], plan: BudgetPlan) =>
  buckets.map(({ wanted }, at) => wanted - (plan.quotas[at] ?? 0));
const sumOf = (buckets: readonly Bucket[], numbers: readonly number[], is: (bucket: Bucket) => boolean) =>
  total(numbers.filter((_, at) => is(buckets[at] as Bucket)));

function always(check: (buckets: Bucket[], events: number, plan: BudgetPlan, isPerSource: boolean) => void): void {
  fc.assert(
    fc.property(bucketsOf, eventsOf, fc.boolean(), (buckets, events, isPerSource) => {
      check(buckets, events, planBudget(buckets, { events, isPerSource }), isPerSource);
    }),
    { numRuns: 1_000 },
  );
}

suite('the plan of the event budget', () => {
  test('never allows more events than the cap, summaries included', () => {
    always((_buckets, events, plan) => {
      assert.ok(total(plan.quotas) + plan.summaries <= events);
      assert.ok(plan.groups.length <= plan.summaries || !plan.isCapped);
    });
  });

  test('folds nothing when all fits, and something when not', () => {
    always((buckets, events, plan) => {
      const wanted = total(buckets.map((bucket) => bucket.wanted));
      assert.equal(plan.isCapped, wanted > events);
      assert.equal(total(foldedOf(buckets, plan)) > 0, wanted > events);
    });
  });

  test('gives no bucket more than it wants, nor less than nothing', () => {
    always((buckets, _events, plan) => {
      for (const [at, { wanted }] of buckets.entries()) {
        const quota = plan.quotas[at] ?? -1;
        assert.ok(Number.isInteger(quota) && quota >= 0 && quota <= wanted);
      }
    });
  });

  test('counts every folded finding in exactly one summary, and needs no other', () => {
    always((buckets, _events, plan) => {
      const keys = buckets.flatMap(({ source, namespace }, at) =>
        (foldedOf(buckets, plan)[at] ?? 0) === 0
          ? []
          : [groupKey({ source, namespace: plan.isPerSource ? undefined : namespace })],
      );
      assert.deepEqual(plan.groups.map(groupKey).sort(), [...new Set(keys)].sort());
    });
  });

  test('keeps no finding while a more severe one of its source and namespace is folded', () => {
    always((buckets, _events, plan) => {
      const folded = foldedOf(buckets, plan);
      for (const [at, one] of buckets.entries()) {
        for (const [other, { source, namespace, severity }] of buckets.entries()) {
          if (source !== one.source || namespace !== one.namespace) continue;
          if (keepingOrder.indexOf(one.severity) >= keepingOrder.indexOf(severity)) continue;
          assert.ok((folded[at] ?? 0) === 0 || (plan.quotas[other] ?? 0) === 0, `${one.severity} before ${severity}`);
        }
      }
    });
  });

  test('wastes no room but what it sets aside for summaries', () => {
    always((buckets, events, plan) => {
      if (plan.isCapped) assert.equal(total(plan.quotas), Math.max(0, events - plan.summaries), String(buckets.length));
    });
  });

  test('cuts nothing of a namespace within its share while one above has more than its own', () => {
    always((buckets, events, plan) => {
      if (!plan.isCapped) return;
      const share = Math.floor(events * 0.2);
      const sizes = namespaceWords.filter(Boolean).map((word) => {
        const is = ({ namespace }: Bucket) => namespace === word;
        return { kept: sumOf(buckets, plan.quotas, is), folded: sumOf(buckets, foldedOf(buckets, plan), is) };
      });
      const isAnyAbove = sizes.some(({ kept }) => kept > share);
      for (const { kept, folded } of sizes) if (isAnyAbove && folded > 0) assert.ok(kept >= share, `${kept}/${share}`);
    });
  });

  test('is at rest once carried out: the same again folds and unfolds nothing', () => {
    always((buckets, events, first) => {
      const again = buckets.map((bucket, at) => ({ ...bucket, current: first.quotas[at] ?? 0 }));
      const plan = planBudget(again, { events, isPerSource: first.isPerSource });
      assert.deepEqual(plan.quotas, first.quotas);
      assert.deepEqual(plan.groups, first.groups);
    });
  });

  test('keeps at least as many with a greater cap', () => {
    always((buckets, events, plan, isPerSource) => {
      const more = planBudget(buckets, { events: events + 50, isPerSource });
      assert.ok(total(more.quotas) + more.summaries >= total(plan.quotas) + plan.summaries);
    });
  });

  test('does not replace an event by another of the same severity where no share is exceeded', () => {
    const bucket = (namespace: string, wanted: number, current: number): Bucket => {
      return { source: 'trivy', namespace, severity: 'low', wanted, current };
    };
    const words = Array.from({ length: 10 }, (_, at) => `n${at}`);
    // 10 namespaces of 15 each, none above 20 %; 4 sources, none above 60 %.
    const before = words.map((word, at) => bucket(word, 15, at < 6 ? 15 : 2));
    const sources = before.map((one, at) => ({ ...one, source: sourceWords[at % 4] ?? '' }));
    const plan = planBudget(sources, { events: 108, isPerSource: true });
    for (const [at, { current }] of sources.entries()) assert.ok((plan.quotas[at] ?? 0) >= current - 1, String(at));
  });

  test('folds the namespace above 20 % first, the least severe of it', () => {
    const bucket = (namespace: string, severity: Bucket['severity'], wanted: number): Bucket => {
      return { source: 'trivy', namespace, severity, wanted, current: 0 };
    };
    const buckets = [
      bucket('big', 'critical', 150),
      bucket('big', 'low', 900),
      ...Array.from({ length: 6 }, (_, at) => bucket(`small-${at}`, 'info', 120)),
    ];
    const plan = planBudget(buckets, { events: 1_000, isPerSource: false });
    assert.deepEqual(plan.quotas, [150, 129, 120, 120, 120, 120, 120, 120]);
    assert.deepEqual(plan.groups, [{ source: 'trivy', namespace: 'big' }]);
  });

  test('folds the source above 60 % before the least severe of all', () => {
    const bucket = (source: string, namespace: string, wanted: number, severity: Bucket['severity']): Bucket => {
      return { source, namespace, severity, wanted, current: 0 };
    };
    const words = Array.from({ length: 10 }, (_, at) => `n${at}`);
    const buckets = [
      ...words.map((word) => bucket('trivy', word, 100, 'high')),
      ...words.map((word) => bucket('kyverno', word, 30, 'low')),
    ];
    const plan = planBudget(buckets, { events: 1_000, isPerSource: false });
    const kept = (source: string) => sumOf(buckets, plan.quotas, (one) => one.source === source);
    assert.deepEqual([kept('kyverno'), kept('trivy')], [300, 1_000 - 300 - plan.groups.length]);
  });

  test('sums up whole sources when there are too many summaries, and comes back only when there are few', () => {
    const buckets = (count: number): Bucket[] =>
      Array.from({ length: count }, (_, at) => {
        const place = { source: 'trivy', namespace: `n${at}`, severity: 'low' } as const;
        return { ...place, wanted: 40, current: 0 };
      });
    const plan = planBudget(buckets(100), { events: 1_000, isPerSource: false });
    assert.deepEqual(plan.groups, [{ source: 'trivy', namespace: undefined }]);
    assert.equal(plan.isPerSource, true);
  });
});

suite('levelling', () => {
  const wants = fc.array(fc.nat(50), { maxLength: 12 });

  test('uses all room that is wanted, and favours nobody', () => {
    fc.assert(
      fc.property(wants, fc.nat(200), (wanted, room) => {
        const given = levelled(wanted, room);
        assert.equal(total(given), Math.min(room, total(wanted)));
        for (const [at, one] of given.entries()) {
          assert.ok(one >= 0 && one <= (wanted[at] ?? 0));
          if (one < (wanted[at] ?? 0)) for (const other of given) assert.ok(other <= one + 1);
        }
      }),
    );
  });

  test('takes nothing from those who have while others would get it', () => {
    fc.assert(
      fc.property(wants, fc.array(fc.nat(50), { minLength: 12, maxLength: 12 }), fc.nat(200), (wanted, have, room) => {
        const given = levelledKeeping(wanted, have, room);
        assert.equal(total(given), Math.min(room, total(wanted)));
        const kept = wanted.map((want, at) => Math.min(want, have[at] ?? 0));
        if (total(kept) <= room) for (const [at, one] of given.entries()) assert.ok(one >= (kept[at] ?? 0));
      }),
    );
  });
});
