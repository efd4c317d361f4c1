/** The books, with a server that answers anything. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import type { Answer } from '../../src/api/stored-event.ts';
import { Books, discrepancy } from '../../src/pipeline/books.ts';
import type { PresentIntent, SignalIntent } from '../../src/pipeline/intent.ts';
import { presentOf, signalOf } from '../support/intents.ts';
import { processOf } from '../support/writer-process.ts';

suite('books', () => {
  test('balance at every step, whatever fails', { timeout: 60_000 }, async () => {
    const failure = fc.constantFrom<Answer | 'none' | 'lost'>(
      'none',
      'lost',
      { kind: 'conflict' },
      { kind: 'gone' },
      { kind: 'rejected', message: '422' },
      { kind: 'nowhere', message: 'terminating' },
      { kind: 'retry', cause: 'throttled', message: '429' },
      { kind: 'retry', cause: 'quota', message: '403', afterMs: 1 },
    );
    const intent = fc.record({
      id: fc.nat(5),
      kind: fc.constantFrom('present', 'resolved', 'signal'),
      count: fc.integer({ min: 1, max: 9 }),
    });
    const property = fc.asyncProperty(
      fc.array(intent, { maxLength: 40 }),
      fc.array(failure),
      async (intents, faults) => {
        const { server, put, rest, books, writer } = processOf({ concurrency: 3 });
        server.fault = () => faults.pop() ?? 'none';
        for (const { id, kind, count } of intents) {
          const made: PresentIntent | SignalIntent =
            kind === 'signal' ? signalOf(`s${id}`, count) : presentOf(`p${id}`, { partition: `ns${count}` });
          if (kind === 'resolved') put({ ...made, kind: 'resolved', occurrences: 0, reason: 'fixed', at: new Date(0) });
          else put(made);
          assert.equal(discrepancy(books.balance()), 0);
          if (count > 6) await turn();
        }
        await rest();
        const { received, pending } = books.balance();
        assert.deepEqual([discrepancy(books.balance()), pending], [0, 0]);
        assert.equal(
          received,
          intents.reduce((sum, { kind, count }) => sum + (kind === 'signal' ? count : kind === 'present' ? 1 : 0), 0),
        );
        await writer.stop();
      },
    );
    await fc.assert(property, { seed: 20_260_101, numRuns: 300, interruptAfterTimeLimit: 15_000 });
  });

  test('keep few pages where namespaces come and go, and what waits on its own', () => {
    const books = new Books();
    books.open('waiting', 3);
    for (let name = 0; name < 20_000; name += 1) {
      books.settle(`preview-${name}`, 'unchanged', 2);
      if (name % 10 === 0) books.reject(`preview-${name}`, 'malformed', 1);
    }
    assert.ok(books.pages <= 1_000, `${books.pages} pages`);
    books.close('waiting', 'written', 2);
    books.closeRejected('waiting', 'refused-by-server', 1);
    const balance = books.balance();
    assert.equal(discrepancy(balance), 0);
    const { received, pending, accounts, rejected } = balance;
    assert.deepEqual([received, pending, accounts.unchanged, accounts.written], [42_003, 0, 40_000, 2]);
    assert.deepEqual([rejected.malformed, rejected['refused-by-server']], [2_000, 1]);
  });
});
