/**
 * `npm run test:model`: many random histories on a control plane of their own.
 *
 *   npm run test:model -- 200                   200 histories of a new seed
 *   npm run test:model -- 200 17                of this seed
 *   npm run test:model -- 1 17 --path=12        the one that failed
 *   --crash   kill the API server in some       --shrink   look for a shorter history that fails
 *   --root=FOLDER   a daemon that is not this repository's
 */
import { parseArgs } from 'node:util';
import { checkHistories } from '../support/model/check-histories.ts';
import { Stage } from '../support/stage.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    crash: { type: 'boolean', default: false },
    shrink: { type: 'boolean', default: false },
    path: { type: 'string' },
    root: { type: 'string' },
  },
});
const runs = Number(positionals[0] ?? 100);
const seed = Number(positionals[1] ?? Date.now() % 2 ** 31);
if (!Number.isInteger(runs) || !Number.isInteger(seed)) throw new RangeError('expected numbers: RUNS SEED');

const stage = await Stage.start();
try {
  say(`${runs} histories of seed ${seed}`);
  const result = await checkHistories({
    stage,
    runs,
    seed,
    path: values.path,
    root: values.root,
    isShrinking: values.shrink,
    withCrashes: values.crash,
    played: (run, ms) => say(`${run} held after ${(ms / 1000).toFixed(1)} s`),
  });
  say(result.failure ?? `all ${result.runs} histories held`);
  process.exitCode = result.failure === undefined ? 0 : 1;
} finally {
  await stage.stop();
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
