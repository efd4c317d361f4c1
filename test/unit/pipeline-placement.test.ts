/** Placement: which namespace an event belongs to, and what is known of one that lies in two. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { EventIndex } from '../../src/pipeline/event-index.ts';
import { OwnEvents } from '../../src/pipeline/own-events.ts';
import type { PlacementMode } from '../../src/pipeline/placement.ts';
import { central, eventIn, name, placementOf, team } from '../support/placed-events.ts';

suite('placement', () => {
  test('central: everything in one namespace', () => {
    const placement = placementOf('central');
    for (const namespace of [team, 'gone', '', undefined]) assert.equal(placement.namespaceFor({ namespace }), central);
  });

  test('by resource: its namespace, while that is there and not about to go', () => {
    const placement = placementOf('resource', { [team]: true, leaving: false, unknown: undefined });
    const to = (namespace?: string) => placement.namespaceFor({ namespace });
    assert.deepEqual([team, 'unknown', 'leaving', 'never', '', undefined].map(to), [
      team,
      'unknown',
      central,
      central,
      central,
      central,
    ]);
  });

  test('an event is misplaced only where it can be taken from and taken to', () => {
    const byResource = placementOf('resource', { [team]: true, leaving: false, unknown: undefined });
    const cases = [
      [central, team, true],
      [team, team, false],
      [central, '', false],
      [central, 'leaving', false],
      [central, 'unknown', false],
      ['leaving', 'leaving', false],
      // Nobody but somebody else put the event of one namespace into another.
      ['unknown', team, false],
      [team, '', false],
    ] as const;
    for (const [namespace, of, expected] of cases) {
      assert.equal(byResource.isMisplaced(namespace, of), expected, `${namespace} of ${of}`);
    }
    const home = placementOf('central', { [team]: true, leaving: false });
    assert.equal(home.isMisplaced(team, team), true);
    assert.equal(home.isMisplaced('leaving', 'leaving'), false);
    assert.equal(home.isMisplaced(central, team), false);
    assert.equal(home.isMisplaced(team, 'team-b'), false);
  });
});

suite('own events in two namespaces', () => {
  function start(mode: PlacementMode = 'resource') {
    const index = new EventIndex();
    const own = new OwnEvents(
      index,
      () => false,
      () => {},
      placementOf(mode),
    );
    const known = () => {
      const row = index.find(name);
      return index.isOnServer(row) ? `${index.namespace(row)} ${index.resourceVersion(row)}` : undefined;
    };
    return { index, own, known };
  }

  test('the one in its place is the event, whichever is shown first', () => {
    for (const order of [
      [central, team],
      [team, central],
    ]) {
      const { own, known } = start();
      for (const [at, namespace] of order.entries()) own.observe(eventIn(namespace, String(at + 5)));
      assert.equal(known(), `${team} ${order.indexOf(team) + 5}`);
      assert.equal(own.elsewhere(name)?.namespace, central);
      own.observe(eventIn(central, '9'));
      assert.equal(known(), `${team} ${order.indexOf(team) + 5}`);
      assert.equal(own.gone(central, name), 0, 'the event itself is still there');
      assert.equal(own.elsewhere(name), undefined);
      assert.notEqual(known(), undefined);
    }
  });

  test('when the one in its place is deleted, the event is gone; the other one is still known of', () => {
    const { own, known } = start();
    own.observe(eventIn(central, '5'));
    own.observe(eventIn(team, '6'));
    assert.notEqual(own.gone(team, name), 0);
    assert.equal(known(), undefined);
    assert.equal(own.elsewhere(name)?.namespace, central);
    own.observe(eventIn(central, '7'));
    assert.equal(known(), `${central} 7`);
    assert.equal(own.elsewhere(name), undefined);
  });

  test('old news of the one that was moved away does not touch the moved one', () => {
    const { own, known } = start();
    own.observe(eventIn(central, '5'));
    own.begin(name);
    own.answered(eventIn(team, '8'));
    own.missing(name, central);
    own.end(name);
    assert.equal(own.observe(eventIn(central, '6')), undefined);
    assert.equal(known(), `${team} 8`);
    assert.equal(own.gone(central, name), 0);
    assert.equal(own.elsewhere(name), undefined);
    assert.equal(own.observe(eventIn(team, '8')), undefined);
    assert.notEqual(own.gone(team, name), 0);
  });

  test('the watch may show the moved one before the answer does', () => {
    const { own, known } = start();
    own.observe(eventIn(central, '5'));
    own.begin(name);
    assert.ok(own.observe(eventIn(team, '8')));
    own.answered(eventIn(team, '8'));
    own.end(name);
    assert.equal(known(), `${team} 8`);
    assert.notEqual(own.gone(team, name), 0, 'nothing is waited for');
  });

  test('an event of ours in a namespace that it does not speak of is foreign, and so is a copy that speaks of another', () => {
    const { own, known, index } = start();
    own.observe(eventIn('team-b', '4', team));
    assert.deepEqual([own.foreignCount, index.size], [1, 0]);
    own.observe(eventIn(team, '5'));
    own.observe(eventIn('team-b', '6', 'team-b'));
    assert.equal(own.foreignCount, 2 - 1, 'the same one');
    assert.equal(known(), `${team} 5`);
    assert.equal(own.elsewhere(name), undefined);
    own.gone('team-b', name);
    assert.equal(known(), `${team} 5`);
  });
});
