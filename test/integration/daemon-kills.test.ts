/** A small part of `npm run test:kills`: the process is killed at random moments, and nothing is lost or written twice (Q1). */
import { after, before, suite, test } from 'node:test';
import { killAgainAndAgain } from '../support/kill-run.ts';
import { Stage } from '../support/stage.ts';

suite('daemon: killed again and again', () => {
  let stage: Stage;

  before(async () => {
    stage = await Stage.start();
  });
  after(() => stage?.stop());

  test('SIGKILL at random moments while reports come and change: nothing lost, doubled or written in vain', async (t) => {
    const seed = Date.now() % 1_000_000;
    t.diagnostic(`npm run test:kills -- --kills=5 --findings=300 --seed=${seed}`);
    const figures = await killAgainAndAgain(stage, { kills: 5, findings: 300, seed }, (line) => t.diagnostic(line));
    t.diagnostic(JSON.stringify(figures));
  });
});
