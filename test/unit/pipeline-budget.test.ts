/** The event budget over a model of the server: what is folded, counted, unfolded and removed (F5). */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Severity } from '../../src/api/words.ts';
import { keepingOrder } from '../../src/pipeline/budget-plan.ts';
import { removeExpired } from '../../src/pipeline/removal.ts';
import { isSummary } from '../../src/pipeline/summary-kind.ts';
import type { Finding } from '../../src/sources/source.ts';
import { finding, reading } from '../support/findings.ts';
import { World } from '../support/pipeline-world.ts';

const cap = 100;

/** So many findings of a report; each name is a report of its own namespace. */
function findings(name: string, count: number, severity: Severity, first = 0): Finding[] {
  const resource = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', namespace: name };
  return Array.from({ length: count }, (_, at) => finding(`${name}-${severity}-${first + at}`, { severity, resource }));
}

function say(world: World, name: string, ...parts: (readonly Finding[])[]): void {
  world.report(name, reading(name, parts.flat(), { reportKey: ['format', name], partition: name }));
}

/** Looks again and again, as the daemon does, until nothing changes any more. Never is there more than the cap. */
async function settle(world: World, stepMs = 10_000): Promise<void> {
  for (let quiet = 0, round = 0; quiet < 3; round += 1) {
    assert.ok(round < 200, 'comes to rest');
    const before = world.server.changes.length;
    world.elapsedMs += stepMs;
    world.life.budget?.look(world.moment);
    await world.rest();
    quiet = world.server.changes.length === before ? quiet + 1 : 0;
  }
}

function neverMoreThan(world: World, events: number): void {
  const latency = world.server.latency;
  world.server.latency = () => {
    assert.ok(world.server.events.size <= events, `${world.server.events.size} events`);
    return latency();
  };
}

const all = (world: World) => [...world.server.events.values()];
const summaries = (world: World) => all(world).filter(isSummary);
const kept = (world: World) => all(world).filter((event) => !isSummary(event));
const summed = (world: World) => summaries(world).reduce((sum, { status }) => sum + (status?.count ?? 0), 0);

/** Every finding has its event or is counted in a summary, and the summaries say of which severity. */
function assertAccounted(world: World, wanted: number): void {
  assert.ok(all(world).length <= cap);
  assert.equal(kept(world).length + summed(world), wanted);
  for (const { spec, status } of summaries(world)) {
    const bySeverity = spec.details?.['bySeverity'] as Record<string, number>;
    assert.equal(
      Object.values(bySeverity).reduce((sum, one) => sum + one, 0),
      status?.count,
    );
    assert.equal(
      spec.severity,
      keepingOrder.find((word) => word in bySeverity),
    );
    assert.match(spec.title ?? '', new RegExp(`^${(status?.count ?? 0).toLocaleString('en')} more findings in `));
  }
  assert.equal(world.life.books.balance().pending, 0);
}

const severitiesKept = (world: World) => {
  const tally: Record<string, number> = {};
  for (const { spec } of kept(world)) tally[spec.severity] = (tally[spec.severity] ?? 0) + 1;
  return tally;
};

suite('the event budget', () => {
  test('folds nothing and makes no summary while all fits', async () => {
    const world = new World({ events: cap });
    say(world, 'shop', findings('shop', 60, 'low'));
    say(world, 'pay', findings('pay', 40, 'info'));
    await settle(world);
    assert.deepEqual([kept(world).length, summaries(world).length, world.life.capped], [100, 0, []]);
    assert.equal(world.life.books.balance().accounts.folded, 0);
  });

  test('keeps the most severe, whatever came first, and sums up the rest to the unit', async () => {
    const world = new World({ events: cap });
    neverMoreThan(world, cap);
    for (let at = 0; at < 8; at += 1) {
      const name = `team-${at}`;
      say(world, name, findings(name, 40, 'low'), findings(name, 10, 'high'), findings(name, 2, 'critical'));
    }
    await settle(world);
    assertAccounted(world, 8 * 52);
    // One summary: the bound of 2 % of 100 is 2, so they stand for the whole source.
    assert.equal(summaries(world).length, 1);
    assert.deepEqual(severitiesKept(world), { critical: 16, high: 80, low: 3 });
    assert.deepEqual(world.life.capped, [true]);
  });

  test('a more severe finding that comes later takes the place of a less severe one', async () => {
    const world = new World({ events: cap });
    neverMoreThan(world, cap);
    for (let at = 0; at < 8; at += 1) say(world, `team-${at}`, findings(`team-${at}`, 20, 'medium'));
    await settle(world);
    say(world, 'late', findings('late', 5, 'critical'));
    await settle(world);
    assertAccounted(world, 165);
    assert.deepEqual(severitiesKept(world), { critical: 5, medium: 94 });
  });

  test('an equal one does not', async () => {
    const world = new World({ events: cap });
    for (let at = 0; at < 8; at += 1) say(world, `team-${at}`, findings(`team-${at}`, 18, 'medium'));
    await settle(world);
    const before = new Set(kept(world).map(({ metadata }) => metadata.name));
    say(world, 'late', findings('late', 5, 'medium'));
    await settle(world);
    assertAccounted(world, 149);
    for (const { metadata } of kept(world)) assert.ok(before.has(metadata.name));
  });

  test('unfolds as findings go, and removes the summary with the last', async () => {
    const world = new World({ events: cap });
    neverMoreThan(world, cap);
    for (let at = 0; at < 8; at += 1) say(world, `team-${at}`, findings(`team-${at}`, 20, 'medium'));
    await settle(world);
    assertAccounted(world, 160);
    for (let left = 7; left > 4; left -= 1) {
      say(world, `team-${left}`);
      await settle(world);
      const active = kept(world).filter(({ status }) => status?.phase === 'Active').length;
      assert.equal(active + summed(world), left * 20);
    }
    assert.deepEqual([kept(world).length, summaries(world).length], [100, 0]);
    assert.deepEqual(world.life.capped, [true, false]);
  });

  test('a restart writes nothing, in whatever order the reports come', async () => {
    const world = new World({ events: cap });
    for (let at = 0; at < 8; at += 1) {
      const name = `team-${at}`;
      say(world, name, findings(name, 12 + at, 'low'), findings(name, 3, 'unknown'));
    }
    await settle(world);
    const before = world.server.changes.length;
    const order = [...world.reports.keys()];
    for (const next of [order, order.toReversed()]) {
      await world.restart(next);
      await settle(world);
      assert.equal(world.server.changes.length, before);
    }
    assertAccounted(world, 8 * 12 + 28 + 24);
  });

  test('a restart that has not read all reports yet admits nothing new', async () => {
    const world = new World({ events: cap });
    for (let at = 0; at < 8; at += 1) say(world, `team-${at}`, findings(`team-${at}`, 20, 'medium'));
    await settle(world);
    const one = kept(world)[0]?.metadata.name ?? '';
    await world.restart([], false);
    world.server.deleteByHand(one);
    const before = world.server.changes.length;
    for (const name of world.reports.keys()) world.tell(name);
    world.life.budget?.look(world.moment);
    await world.rest();
    assert.equal(world.server.changes.length, before);
    world.life.reconciler.setSettled('tool', true);
    await settle(world);
    assertAccounted(world, 160);
    assert.equal(all(world).length, cap);
  });

  test('Resolved events go first, the oldest first', async () => {
    const world = new World({ events: cap });
    neverMoreThan(world, cap);
    say(world, 'shop', findings('shop', 30, 'low'));
    await settle(world);
    say(world, 'shop', findings('shop', 20, 'low'));
    await settle(world);
    say(world, 'shop', findings('shop', 10, 'low'));
    await settle(world);
    assert.equal(kept(world).filter(({ status }) => status?.phase === 'Resolved').length, 20);
    say(world, 'pay', findings('pay', 85, 'info'));
    await settle(world);
    assert.equal(summaries(world).length, 0);
    const resolved = kept(world).filter(({ status }) => status?.phase === 'Resolved');
    assert.equal(resolved.length, 5);
    // Those that were fixed first are gone.
    for (const { spec } of resolved) assert.match(String(spec.details?.['id']), /shop-low-1\d$/);
    assert.deepEqual(world.life.capped, []);
  });

  test('an event that was deleted by hand makes room for one, not for itself alone', async () => {
    const world = new World({ events: cap });
    neverMoreThan(world, cap);
    for (let at = 0; at < 8; at += 1) say(world, `team-${at}`, findings(`team-${at}`, 20, 'medium'));
    await settle(world);
    for (const { metadata } of all(world).slice(0, 10)) world.server.deleteByHand(metadata.name);
    await world.rest();
    await settle(world);
    assertAccounted(world, 160);
    assert.equal(all(world).length, cap);
  });

  test('a summary that was edited, resolved or deleted by hand is put right', async () => {
    const world = new World({ events: cap });
    for (let at = 0; at < 8; at += 1) say(world, `team-${at}`, findings(`team-${at}`, 20, 'medium'));
    await settle(world);
    const [summary] = summaries(world);
    assert.ok(summary !== undefined);
    world.server.putByHand({ ...summary, status: { ...summary.status, phase: 'Resolved', count: 1 } });
    await settle(world);
    assertAccounted(world, 160);
    world.server.deleteByHand(summary.metadata.name);
    await settle(world);
    assertAccounted(world, 160);
  });
});

suite('the life of Resolved events', () => {
  test('ends after their time, not before; what is Active stays', async () => {
    const world = new World({});
    say(world, 'shop', findings('shop', 3, 'low'));
    await world.rest();
    say(world, 'shop', findings('shop', 1, 'low'));
    await world.rest();
    const { index, queue } = world.life;
    world.elapsedMs += 59_000;
    assert.equal(removeExpired(index, queue, { ttlMs: 60_000, mayWrite: () => true }, world.moment), 0);
    world.elapsedMs += 2_000;
    assert.equal(removeExpired(index, queue, { ttlMs: 60_000, mayWrite: () => true }, world.moment), 2);
    assert.equal(removeExpired(index, queue, { ttlMs: 60_000, mayWrite: () => true }, world.moment), 0, 'once');
    await world.rest();
    assert.deepEqual(world.state, ['shop-low-0']);
    // What returns is a new event.
    say(world, 'shop', findings('shop', 2, 'low'));
    await world.rest();
    assert.deepEqual(world.state, ['shop-low-0', 'shop-low-1']);
  });

  test('one that returned in the last moment is left alone', async () => {
    const world = new World({});
    say(world, 'shop', findings('shop', 1, 'low'));
    await world.rest();
    say(world, 'shop');
    await world.rest();
    world.elapsedMs += 61_000;
    const { index, queue } = world.life;
    world.server.latency = () => Promise.resolve();
    removeExpired(index, queue, { ttlMs: 60_000, mayWrite: () => true }, world.moment);
    say(world, 'shop', findings('shop', 1, 'low'));
    await world.rest();
    assert.deepEqual(world.state, ['shop-low-0']);
  });
});
