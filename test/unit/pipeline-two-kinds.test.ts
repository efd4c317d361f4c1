/** One report through two kinds of objects, as policy reports come in two API groups: each may come and go (T2, F3). */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { finding, reading, start } from '../support/findings.ts';
import { changes, onlyEvent, World } from '../support/pipeline-world.ts';

const copyKind = 'tool.example|Copy';
const both = ['r', 'copy-r'] as const;

function told(world: World, name: string, ids: readonly string[], second = 0): Promise<number> {
  const findings = ids.map((id) => finding(id));
  const reportedAt = new Date(start.getTime() + second * 1000);
  return changes(world, () => world.report(name, reading(name, findings, { reportedAt })));
}

/** Both kinds hold the finding, and other reports of both are there, so that one loss is not most of them. */
async function held(order: readonly string[] = both): Promise<World> {
  const world = new World({ isOneChannel: true });
  for (const name of order) await told(world, name, ['a']);
  for (const other of ['o1', 'o2', 'copy-o3', 'copy-o4']) speaks(world, other);
  await world.rest();
  return world;
}

let spoken = 0;
function speaks(world: World, other: string): void {
  spoken += 1;
  const reportedAt = new Date(start.getTime() + spoken * 1000);
  world.report(other, reading(other, [], { reportKey: ['format', other.replace('copy-', '')], reportedAt }));
}

const conditionOf = (world: World) =>
  onlyEvent(world).status?.conditions?.map(({ status, reason }) => `${status} ${reason}`);

suite('one report in two kinds', () => {
  test('is one event and one write, and the books know the second occurrence', async () => {
    const world = await held();
    assert.equal(world.server.changes.length, 1);
    const { received, accounts } = world.life.books.balance();
    assert.deepEqual([received, accounts.written, accounts.unchanged], [2, 1, 1]);
  });

  for (const [first, second] of [both, both.toReversed()] as [string, string][]) {
    test(`either may go, whichever came first: ${first} then ${second}`, async () => {
      for (const gone of both) {
        const world = await held([first, second]);
        assert.equal(await changes(world, () => world.unreport(gone)), 0);
        speaks(world, 'o1');
        speaks(world, 'copy-o3');
        assert.equal(await changes(world, () => world.later(3 * world.graceMs)), 0);
        assert.deepEqual(world.state, ['a']);
      }
    });

    test(`a finding is fixed when neither holds it: ${first} then ${second}`, async () => {
      const world = await held();
      assert.equal(await told(world, first, [], 5), 0);
      assert.deepEqual(world.state, ['a']);
      assert.equal(await told(world, second, [], 6), 1);
      assert.deepEqual(world.state, ['(a fixed)']);
      await told(world, first, ['a'], 7);
      assert.deepEqual(world.state, ['a'], 'what one of them says again is there again');
    });

    test(`gone with ${first}, a finding is fixed by what ${second} says later`, async () => {
      const world = await held();
      await changes(world, () => world.unreport(first));
      assert.equal(await told(world, second, [], 5), 1);
      assert.deepEqual(world.state, ['(a fixed)']);
    });
  }

  test('a restart writes nothing, in any order', async () => {
    const world = await held();
    const names = [...world.reports.keys()];
    for (const order of [names, names.toReversed()]) assert.equal(await changes(world, () => world.restart(order)), 0);
    assert.deepEqual(world.state, ['a']);
  });

  test('while one kind cannot be seen, or is not served any more, the other vouches for the finding', async () => {
    for (const kind of ['silent', 'gone'] as const) {
      const world = await held();
      if (kind === 'gone') for (const name of ['copy-r', 'copy-o3', 'copy-o4']) world.unreport(name);
      world.kindStates.set(copyKind, { kind, sinceMs: world.elapsedMs });
      assert.equal(await changes(world, () => world.later(3 * world.graceMs)), 0, kind);
      assert.equal(conditionOf(world), undefined, kind);
    }
  });

  test('the grace is counted from when the last of them went', async () => {
    const world = await held();
    for (const name of ['copy-r', 'copy-o3', 'copy-o4']) world.unreport(name);
    world.kindStates.set(copyKind, { kind: 'gone', sinceMs: world.elapsedMs });
    await world.later(2 * world.graceMs);
    world.unreport('r');
    await world.later(world.graceMs - 10);
    assert.equal(conditionOf(world), undefined);
    await world.later(20);
    assert.deepEqual(conditionOf(world), ['False ReportMissing']);
  });

  test('a tool that goes over from one kind to the other has lost nothing', async () => {
    const world = new World({ isOneChannel: true });
    const names = ['1', '2', '3', '4'];
    const put = (prefix: string) => {
      for (const name of names) {
        const more = { reportKey: ['format', name] };
        world.report(`${prefix}${name}`, reading(`${prefix}${name}`, [finding(name)], more));
      }
    };
    await changes(world, () => put(''));
    const move = () => {
      put('copy-');
      for (const name of names) world.unreport(name);
    };
    assert.equal(await changes(world, move), 0);
    assert.deepEqual(world.life.halts, []);
    world.kindStates.set('tool.example|Report', { kind: 'gone', sinceMs: world.elapsedMs });
    assert.equal(await changes(world, () => world.later(3 * world.graceMs)), 0);
    assert.deepEqual(world.state, names);
  });

  test('when the old ones go first, nothing is resolved, and the new ones end the halt', async () => {
    const world = await held();
    await changes(world, () => {
      for (const name of [...world.reports.keys()]) world.unreport(name);
    });
    assert.equal(world.life.halts.length, 1);
    assert.deepEqual(world.state, ['a']);
    assert.equal(await told(world, 'copy-r', ['a'], 9), 0);
    assert.equal(world.life.halts.length, 2);
    assert.deepEqual(world.state, ['a']);
  });
});
