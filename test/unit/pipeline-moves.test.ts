/** Moves of events between namespaces: they may end at any point, and whoever comes next ends them. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { EventStatus } from '../../src/api/event.ts';
import { movedFromAnnotation } from '../../src/api/event.ts';
import type { StoredEvent } from '../../src/api/stored-event.ts';
import { EventChanges } from '../../src/pipeline/event-changes.ts';
import { EventIndex } from '../../src/pipeline/event-index.ts';
import { aboutOf } from '../../src/pipeline/finding-facts.ts';
import type { Intent } from '../../src/pipeline/intent.ts';
import { Misplaced } from '../../src/pipeline/misplaced.ts';
import { OwnEvents } from '../../src/pipeline/own-events.ts';
import type { PlacementMode } from '../../src/pipeline/placement.ts';
import { WorkQueue } from '../../src/pipeline/work-queue.ts';
import { central, eventIn, name, placementOf, team } from '../support/placed-events.ts';
import { PlacedServer } from '../support/placed-server.ts';

/** One life of a daemon as far as moves need it. */
class Life {
  readonly index = new EventIndex();
  readonly queue = new WorkQueue({ items: 100, bytes: 1_000_000 }, () => 0);
  readonly own: OwnEvents;
  readonly moved: string[] = [];
  readonly misplaced: Misplaced;
  readonly #changes: EventChanges;

  constructor(server: PlacedServer, mode: PlacementMode) {
    const placement = placementOf(mode);
    const { index, queue } = this;
    this.own = new OwnEvents(
      index,
      () => false,
      () => {},
      placement,
    );
    const rest = { mayWrite: () => true, changed: () => {}, more: () => {} };
    this.misplaced = new Misplaced({ index, own: this.own, queue, placement, ...rest });
    this.#changes = new EventChanges({
      store: server,
      index,
      own: this.own,
      clock: { now: () => new Date(0), monotonicMs: () => 0 },
      mayWrite: () => true,
      tampered: () => assert.fail('nothing was tampered with'),
      placement,
      moved: (what, from, to) => this.moved.push(`${what} ${from} ${to}`),
    });
    server.takeEcho();
    this.own.listingBegan();
    for (const event of server.events) this.own.observe(event);
    this.own.listingComplete();
  }

  echo(server: PlacedServer): void {
    for (const { type, event } of server.takeEcho()) {
      if (type === 'object') this.own.observe(event);
      else this.own.gone(event.metadata.namespace, event.metadata.name);
    }
  }

  async carryOut(intent: Intent) {
    return (await this.#changes.carryOut(intent)).step;
  }

  /** Looks and moves until there is nothing to move; false when the life ended before that. */
  async run(server: PlacedServer): Promise<boolean> {
    for (let round = 0; round < 20; round += 1) {
      this.misplaced.sweep(0);
      const intent = this.queue.take();
      if (intent === undefined) return true;
      const step = await this.carryOut(intent);
      if (step.kind === 'again' && step.message === killed) return false;
      this.queue.done(intent);
      if (step.kind !== 'again') this.misplaced.ended(intent, step);
      this.echo(server);
    }
    throw new Error('the moves do not come to an end');
  }
}

const killed = 'killed';
const history: EventStatus = {
  phase: 'Resolved',
  reason: 'resource-deleted',
  resolvedAt: '2026-01-03T00:00:00Z',
  lastSeen: '2026-01-02T00:00:00Z',
  count: 7,
  conditions: [{ type: 'Fresh', status: 'False', reason: 'x', lastTransitionTime: '2026-01-02T00:00:00Z' }],
  synced: true,
  saasEventId: 'saas-7',
};

interface Scene {
  readonly from: string;
  readonly to: string;
  readonly mode: PlacementMode;
}
const scenes: readonly Scene[] = [
  { from: central, to: team, mode: 'resource' },
  { from: team, to: central, mode: 'central' },
];

/** A server with an event that has a history, where it does not belong. */
function serverWith({ from }: Scene, status: StoredEvent['status'] = history): PlacedServer {
  const server = new PlacedServer();
  const event = eventIn(from, '');
  const metadata = {
    ...event.metadata,
    labels: { ...event.metadata.labels, reviewed: 'yes' },
    annotations: { ...event.metadata.annotations, 'team.example/note': 'known', 'zen.kube-zen.io/muted-until': 'x' },
  };
  server.in(from).putByHand({ ...event, metadata, status }, 'zen-watcher');
  return server;
}

function theOnly(server: PlacedServer): StoredEvent {
  const [event, ...others] = server.events;
  assert.ok(event);
  assert.deepEqual(others, []);
  return event;
}

function assertMoved(server: PlacedServer, { to }: Scene, expected: object = history): void {
  const event = theOnly(server);
  assert.equal(event.metadata.namespace, to);
  assert.deepEqual(event.status, expected);
  assert.equal(event.metadata.labels?.['reviewed'], 'yes');
  assert.equal(event.metadata.annotations?.['team.example/note'], 'known');
  assert.equal(event.metadata.annotations?.['zen.kube-zen.io/muted-until'], 'x');
  assert.deepEqual(event.spec, eventIn(to, '').spec);
}

suite('moves', () => {
  for (const scene of scenes) {
    const title = `from ${scene.from} to ${scene.to}`;

    test(`${title}: one create, one status, one delete; nothing again`, async () => {
      const server = serverWith(scene);
      const life = new Life(server, scene.mode);
      assert.ok(await life.run(server));
      assertMoved(server, scene);
      assert.deepEqual(server.successes, [`create ${scene.to}`, `patch ${scene.to}`, `remove ${scene.from}`]);
      assert.deepEqual(life.moved, [`${name} ${scene.from} ${scene.to}`]);
      assert.equal(life.misplaced.count, 0);
      const { requests } = server;
      assert.ok(await new Life(server, scene.mode).run(server));
      assert.equal(server.requests, requests);
    });

    test(`${title}: an event without a history needs no status`, async () => {
      const server = serverWith(scene, { phase: 'Active', count: 1 });
      assert.ok(await new Life(server, scene.mode).run(server));
      assert.deepEqual(server.successes, [`create ${scene.to}`, `remove ${scene.from}`]);
      assertMoved(server, scene, { phase: 'Active', count: 1 });
    });

    test(`${title}: killed before or after any request, the next life ends the move, and nothing is done twice`, async () => {
      const probe = serverWith(scene);
      await new Life(probe, scene.mode).run(probe);
      for (const when of ['before', 'after'] as const) {
        for (let at = 1; at <= probe.requests; at += 1) {
          const server = serverWith(scene);
          server[when] = (number) => {
            if (number >= at) throw new Error(killed);
          };
          const first = new Life(server, scene.mode);
          assert.equal(await first.run(server), false);
          server[when] = () => {};
          const second = new Life(server, scene.mode);
          assert.ok(await second.run(server));
          assertMoved(server, scene);
          const sorted = server.successes.toSorted();
          assert.deepEqual(
            sorted,
            [`create ${scene.to}`, `patch ${scene.to}`, `remove ${scene.from}`],
            `${when} ${at}`,
          );
          assert.ok(first.moved.length + second.moved.length <= 1);
        }
      }
    });

    test(`${title}: an answer that is lost, at any request`, async () => {
      for (let at = 1; at <= 4; at += 1) {
        const server = serverWith(scene);
        server.after = (number) => {
          if (number === at) throw new Error('no answer came');
        };
        assert.ok(await new Life(server, scene.mode).run(server));
        assertMoved(server, scene);
      }
    });

    test(`${title}: what others note on it meanwhile is not lost`, async () => {
      for (let at = 1; at <= 4; at += 1) {
        const server = serverWith(scene);
        let isDone = false;
        server.before = (number) => {
          const old = server.in(scene.from).events.get(name);
          if (number !== at || isDone || old === undefined) return;
          isDone = true;
          const labels = { ...old.metadata.labels, reviewed: 'twice' };
          server.in(scene.from).putByHand({ ...old, metadata: { ...old.metadata, labels } }, 'zen-watcher');
        };
        assert.ok(await new Life(server, scene.mode).run(server));
        assert.ok(isDone);
        assert.equal(theOnly(server).metadata.labels?.['reviewed'], 'twice', `before request ${at}`);
        assert.deepEqual(theOnly(server).status, history);
      }
    });

    test(`${title}: one that was made anew in the right place stays as it is, with the first time and the notes of both`, async () => {
      const server = serverWith(scene);
      const made = eventIn(scene.to, '');
      const spec = { ...made.spec, detectedAt: '2027-01-01T00:00:00Z' };
      const labels = { ...made.metadata.labels, reviewed: 'no', team: 'a' };
      server.in(scene.to).putByHand({ ...made, spec, metadata: { ...made.metadata, labels } }, 'zen-watcher');
      assert.ok(await new Life(server, scene.mode).run(server));
      const event = theOnly(server);
      assert.equal(event.metadata.namespace, scene.to);
      assert.equal(event.status?.phase, 'Active');
      assert.equal(event.status?.reason, undefined);
      assert.equal(event.status?.count, 7);
      assert.equal(event.status?.saasEventId, 'saas-7');
      assert.equal(event.spec.detectedAt, made.spec.detectedAt);
      assert.deepEqual([event.metadata.labels?.['reviewed'], event.metadata.labels?.['team']], ['no', 'a']);
      assert.equal(event.metadata.annotations?.['team.example/note'], 'known');
      assert.equal(event.metadata.annotations?.[movedFromAnnotation], undefined);
    });
  }

  test('what is wanted while a move is half done is done to the joined event', async () => {
    const scene = scenes[0] as Scene;
    const server = serverWith(scene);
    server.after = (_at, verb) => {
      if (verb === 'create') throw new Error(killed);
    };
    await new Life(server, scene.mode).run(server);
    server.after = () => {};
    const life = new Life(server, scene.mode);
    const body = JSON.stringify({ ...eventIn(central, ''), metadata: { ...eventIn(central, '').metadata } });
    const facts = {
      category: 'security',
      severity: 'high',
      eventType: 'vulnerability',
      subject: '',
      resourceNamespace: team,
      title: '',
    } as const;
    const base = {
      key: name,
      namespace: central,
      source: 'trivy',
      shard: 0,
      partition: team,
      occurrences: 1,
      readAtMs: 0,
      bytes: 1,
    };
    const contentHash = life.index.storedHash(life.index.find(name));
    const step = await life.carryOut({
      ...base,
      kind: 'present',
      facts,
      about: aboutOf(eventIn(central, '')),
      body,
      contentHash,
    });
    assert.equal(step.kind, 'reopened');
    const event = theOnly(server);
    assert.equal(event.metadata.namespace, team);
    assert.deepEqual([event.status?.phase, event.status?.count, event.status?.saasEventId], ['Active', 7, 'saas-7']);
  });

  test('an event about to go is not moved again, and one whose new place is refused is left where it is', async () => {
    const server = serverWith(scenes[0] as Scene);
    const life = new Life(server, 'resource');
    server.in(team).fault = (verb) => (verb === 'create' ? { kind: 'rejected', message: 'not any more' } : 'none');
    assert.ok(await life.run(server));
    assert.equal(theOnly(server).metadata.namespace, central);
    assert.deepEqual([life.misplaced.count, server.requests], [1, 2]);
  });

  test('what somebody put into another namespace is not carried out of it', async () => {
    const server = new PlacedServer();
    server.in('team-b').putByHand(eventIn('team-b', '', team));
    server.in(team).putByHand(eventIn(team, '', ''));
    for (const mode of ['resource', 'central'] as const) assert.ok(await new Life(server, mode).run(server));
    assert.equal(server.requests, 0);
    assert.equal(server.events.length, 2);
  });
});
