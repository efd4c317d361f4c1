/**
 * A small part of `npm run chaos` (test/chaos/main.ts has them all): faults between daemon and API server that no other
 * test on a real server holds, one after the other, and a rotated token and CA.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { ChaosRun } from '../support/chaos-run.ts';
import { loadSettings } from '../support/constant-load.ts';
import { networkFaults } from '../support/network-faults.ts';

const seed = 20_261_128;
const secondsEach = 0.5;
const names = [
  'latency',
  'duplicated watch lines',
  'truncated watch lines',
  '409 of nobody',
  '429 with Retry-After',
  'answers of writes lost',
  'token rotated',
  'CA rotated',
];

suite('daemon: chaos', () => {
  test('after each fault the events are the findings, nothing was made twice or written in vain', async (t) => {
    const size = { workloads: 6, findings: 6, rules: 6 };
    const run = await ChaosRun.begin({ settings: loadSettings, replicas: 1, size, roundMs: 100, seed });
    try {
      const together = {
        name: names.join(', '),
        async run({ world, random }: Parameters<Parameters<ChaosRun['play']>[0]['run']>[0]) {
          for (const name of names) await networkFaults[name]?.(world, random, secondsEach);
        },
      };
      const figures = await run.play(together, secondsEach);
      t.diagnostic(JSON.stringify(figures));
      assert.ok(figures.treated > 0, 'nothing was disturbed');
      await run.endDaemons();
    } finally {
      await run.stop();
    }
  });
});
