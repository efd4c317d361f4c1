/**
 * Random histories of reports, rollouts, hand-made changes, outages, kills and restarts against the real server: the
 * events become what a model says that was written from the requirements alone, and the books balance (F2, F3, F6, Q1).
 * `npm run test:model` plays many more, `npm run test:faults` shows that faults are found.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { checkHistories } from '../support/model/check-histories.ts';
import { Stage } from '../support/stage.ts';

suite('daemon: random histories', () => {
  let stage: Stage;

  before(async () => {
    stage = await Stage.start();
  });
  after(() => stage?.stop());

  test('end as the model says', async (t) => {
    const { runs, failure } = await checkHistories({ stage, runs: 5, seed: 20_260_101 });
    t.diagnostic(`${runs} histories`);
    if (failure !== undefined) assert.fail(failure);
  });
});
