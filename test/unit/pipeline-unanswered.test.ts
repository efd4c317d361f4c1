/** Counts of signals where the server's answers to writes are lost: exact, but where another replica came in between. */
import assert from 'node:assert/strict';
import { suite, type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import type { ZenAgentEvent } from '../../src/api/event.ts';
import type { StoredEvent } from '../../src/api/stored-event.ts';
import type { Severity } from '../../src/api/words.ts';
import { severities } from '../../src/api/words.ts';
import type { SignalIntent } from '../../src/pipeline/intent.ts';
import { start } from '../support/findings.ts';
import { signalOf } from '../support/intents.ts';
import type { Fault, Verb } from '../support/model-server.ts';
import { ModelServer } from '../support/model-server.ts';
import { processOf } from '../support/writer-process.ts';

/** It happened so many times, at a time of its own. */
function happened(count: number, atMs: number, severity?: Severity): SignalIntent {
  const at = new Date(start.getTime() + atMs);
  const intent = signalOf('s', count);
  const { spec, ...event } = JSON.parse(intent.body) as ZenAgentEvent;
  const body = { ...event, spec: { ...spec, detectedAt: at.toISOString(), severity: severity ?? spec.severity } };
  // Another severity is another content.
  const contentHash =
    severity === undefined ? intent.contentHash : intent.contentHash + severities.indexOf(severity) + 1;
  const facts = severity === undefined ? intent.facts : { ...intent.facts, severity };
  return { ...intent, body: JSON.stringify(body), contentHash, facts, lastSeen: at };
}

/** One replica. Its timers must not keep the process. */
function replica(t: TestContext, server: ModelServer) {
  const process = processOf({ server, concurrency: 1 });
  t.after(() => process.writer.stop());
  return process;
}

/** The fault of the first request with that verb; `then` happens right after it. */
function once(server: ModelServer, verb: Verb, fault: Fault, then: () => void = () => {}): void {
  server.fault = (asked) => {
    if (asked !== verb) return 'none';
    server.fault = () => 'none';
    // The request is carried out first.
    setImmediate(then);
    return fault;
  };
}

const only = (server: ModelServer): StoredEvent => {
  assert.equal(server.events.size, 1);
  return [...server.events.values()][0] as StoredEvent;
};
const countOf = (server: ModelServer) => only(server).status?.count;
const verbs = (server: ModelServer) => server.requests.map(({ verb }) => verb);

/** The next addition is not answered, and before its retry reads, another replica has added so many. */
function addBeforeRead(server: ModelServer, fault: Fault, many: number): void {
  server.fault = (verb) => {
    if (verb !== 'patch') return 'none';
    server.fault = (asked) => {
      if (asked !== 'read') return 'none';
      server.fault = () => 'none';
      const { metadata, status } = only(server);
      const theirs = { count: (status?.count ?? 0) + many, lastSeen: new Date(start.getTime() + 3).toISOString() };
      void server.patchStatus('zen-system', metadata.name, metadata.resourceVersion, theirs);
      return 'none';
    };
    return fault;
  };
}

suite('signals whose writes are not answered', () => {
  for (const [fault, writes] of [
    ['lost', ['create', 'create', 'read']],
    ['late', ['create', 'create']],
  ] as const) {
    test(`a create (${fault}) counts once, and is told as new`, async (t) => {
      const server = new ModelServer();
      const { put, rest, endings } = replica(t, server);
      once(server, 'create', fault);
      put(happened(1, 1));
      await rest();
      server.arrive();
      assert.deepEqual([countOf(server), endings, verbs(server)], [1, ['created'], writes]);
    });
  }

  test('a create that stands for several, and what is added to it, are each lost: all count once', async (t) => {
    const server = new ModelServer();
    const { put, rest, endings } = replica(t, server);
    once(server, 'create', 'lost', () => once(server, 'patch', 'lost'));
    put(happened(5, 1));
    await rest();
    assert.deepEqual([countOf(server), endings], [5, ['created']]);
    assert.equal(verbs(server).filter((verb) => verb === 'patch').length, 1);
  });

  test('what comes while a lost create waits for its retry is added, also when it is more severe', async (t) => {
    const server = new ModelServer();
    const { put, rest, endings } = replica(t, server);
    once(server, 'create', 'lost', () => put(happened(2, 7, 'critical')));
    put(happened(1, 1));
    await rest();
    assert.deepEqual([countOf(server), only(server).spec.severity], [3, 'critical']);
    // On a busy machine it can come just behind the retry: then it is an addition of its own.
    assert.deepEqual(endings, endings.length === 1 ? ['created'] : ['created', 'changed']);
  });

  test('the watch shows what was lost before it is tried again', async (t) => {
    const server = new ModelServer();
    const { own, put, rest, endings } = replica(t, server);
    const show = () => own.observe(only(server));
    once(server, 'create', 'lost', show);
    put(happened(1, 1));
    await rest();
    once(server, 'patch', 'lost', show);
    put(happened(2, 2));
    await rest();
    assert.deepEqual([countOf(server), endings], [3, ['created', 'changed']]);
  });

  for (const fault of ['lost', 'late'] as const) {
    test(`an addition (${fault}) counts once; a consumer may come in between`, async (t) => {
      for (const isTouched of [false, true]) {
        const server = new ModelServer();
        const { put, rest, endings } = replica(t, server);
        put(happened(1, 1));
        await rest();
        once(server, 'patch', fault, () => isTouched && server.touchByConsumer(only(server).metadata.name));
        put(happened(4, 2));
        await rest();
        server.arrive();
        assert.deepEqual([countOf(server), endings], [5, ['created', 'changed']]);
        assert.equal(only(server).status?.lastSeen, new Date(start.getTime() + 2).toISOString());
      }
    });
  }

  test('one that arrives between the read and the write of its retry counts once', async (t) => {
    const server = new ModelServer();
    const { put, rest } = replica(t, server);
    put(happened(1, 1));
    await rest();
    let patches = 0;
    server.fault = (verb) => {
      if (verb !== 'patch') return 'none';
      patches += 1;
      if (patches === 2) server.arrive();
      return patches === 1 ? 'late' : 'none';
    };
    put(happened(4, 2));
    await rest();
    assert.deepEqual([countOf(server), patches], [5, 2]);
  });

  test('a return that was lost is told as one', async (t) => {
    const server = new ModelServer();
    const { put, rest, endings } = replica(t, server);
    put(happened(1, 1));
    await rest();
    const event = only(server);
    server.putByHand({ ...event, status: { ...event.status, phase: 'Resolved', reason: 'expired' } }, 'zen-watcher');
    once(server, 'patch', 'lost');
    put(happened(2, 2));
    await rest();
    assert.deepEqual([countOf(server), only(server).status?.phase, endings], [3, 'Active', ['created', 'reopened']]);
  });

  test('whatever is lost, late, refused or changed by others: one replica counts exactly', async () => {
    const fault = fc.constantFrom<Fault>(
      'none',
      'none',
      'lost',
      'late',
      { kind: 'retry', cause: 'throttled', message: '429' },
      { kind: 'retry', cause: 'unavailable', message: 'not carried out' },
    );
    const step = fc.record({
      count: fc.integer({ min: 1, max: 4 }),
      severity: fc.constantFrom(undefined, undefined, 'critical' as const, 'low' as const),
      turns: fc.nat(12),
      meanwhile: fc.constantFrom('nothing', 'arrive', 'touch', 'edit', 'watch'),
    });
    const property = fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 12 }),
      fc.array(fault, { maxLength: 30 }),
      async (steps, faults) => {
        const server = new ModelServer();
        const process = processOf({ server, concurrency: 1 });
        server.fault = () => faults.pop() ?? 'none';
        const meanwhile = (what: string) => {
          const event = [...server.events.values()][0];
          if (what === 'arrive') server.arrive();
          if (event === undefined) return;
          if (what === 'touch') server.touchByConsumer(event.metadata.name);
          if (what === 'edit') server.putByHand({ ...event, spec: { ...event.spec, title: 'by hand' } });
          if (what === 'watch') process.own.observe(event);
        };
        try {
          for (const [index, { count, severity, turns, meanwhile: what }] of steps.entries()) {
            process.put(happened(count, index + 1, severity));
            for (let left = turns; left > 0; left -= 1) await turn();
            meanwhile(what);
          }
          await process.rest();
          server.arrive();
          const truth = steps.reduce((sum, { count }) => sum + count, 0);
          assert.equal(countOf(server), truth);
          assert.equal(process.endings.filter((kind) => kind === 'created').length, 1);
        } finally {
          await process.writer.stop();
        }
      },
    );
    await fc.assert(property, { seed: 20_260_103, numRuns: 150, interruptAfterTimeLimit: 20_000 });
  });
});

suite('signals whose writes are not answered, between two replicas', () => {
  test('both make the event, one answer is lost: who made it shows by the time', async (t) => {
    for (const isOurs of [true, false]) {
      const server = new ModelServer();
      const [one, other] = [replica(t, server), replica(t, server)];
      once(server, 'create', isOurs ? 'lost' : 'late', () => other.put(happened(3, 2)));
      one.put(happened(2, 1));
      await Promise.all([one.rest(), other.rest()]);
      server.arrive();
      assert.equal(countOf(server), 5);
    }
  });

  test('an addition that did not arrive before the other one added, be it as many, can never arrive: exact', async (t) => {
    for (const theirs of [3, 2]) {
      const server = new ModelServer();
      const one = replica(t, server);
      one.put(happened(1, 1));
      await one.rest();
      addBeforeRead(server, 'late', theirs);
      one.put(happened(2, 2));
      await one.rest();
      server.arrive();
      assert.equal(countOf(server), 3 + theirs);
    }
  });

  test('an addition that arrived, and the other one added before that was seen: at least once', async (t) => {
    const server = new ModelServer();
    const one = replica(t, server);
    one.put(happened(1, 1));
    await one.rest();
    addBeforeRead(server, 'lost', 3);
    one.put(happened(2, 2));
    await one.rest();
    assert.equal(countOf(server), 8, 'of 6: what cannot be told is counted again, and never left out');
  });

  test('whatever is lost and whoever comes in between, nothing is left out', async () => {
    const step = fc.record({ who: fc.nat(1), count: fc.integer({ min: 1, max: 3 }), turns: fc.nat(8) });
    const property = fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 12 }),
      fc.array(fc.constantFrom<Fault>('none', 'none', 'lost', 'late'), { maxLength: 20 }),
      async (steps, faults) => {
        const server = new ModelServer();
        const replicas = [processOf({ server, concurrency: 1 }), processOf({ server, concurrency: 1 })];
        server.fault = () => faults.pop() ?? 'none';
        try {
          for (const [index, { who, count, turns }] of steps.entries()) {
            replicas[who]?.put(happened(count, index + 1));
            for (let left = turns; left > 0; left -= 1) await turn();
            if (turns === 8) server.arrive();
          }
          await Promise.all(replicas.map(({ rest }) => rest()));
          server.arrive();
          const truth = steps.reduce((sum, { count }) => sum + count, 0);
          assert.ok((countOf(server) ?? 0) >= truth, `${countOf(server)} of ${truth}`);
        } finally {
          await Promise.all(replicas.map(({ writer }) => writer.stop()));
        }
      },
    );
    await fc.assert(property, { seed: 20_260_104, numRuns: 150, interruptAfterTimeLimit: 20_000 });
  });
});
