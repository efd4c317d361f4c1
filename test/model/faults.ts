/**
 * `npm run test:faults`: puts one fault after another into a copy of the product; the random histories have to find each
 * within 50 runs, and none in a copy without a fault.
 *
 *   npm run test:faults                  all
 *   npm run test:faults -- resolve       those with this in their name, and not the copy without one
 *   --seed=17   of another seed
 */
import { parseArgs } from 'node:util';
import { checkHistories } from '../support/model/check-histories.ts';
import { copyWith, mutants } from '../support/model/mutants.ts';
import { Stage } from '../support/stage.ts';

const mostRuns = 50;
const runsWithoutFault = 10;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string', default: '20260101' } },
});
const seed = Number(values.seed);
const wanted = mutants.filter(({ name }) => positionals.every((part) => name.includes(part)));
if (wanted.length === 0) throw new RangeError(`no fault is called ${positionals.join(' ')}`);

const unfound: string[] = [];
const stage = await Stage.start();
try {
  if (positionals.length === 0) await holdWithoutFault();
  for (const { name, replacements } of wanted) await find(name, replacements);
} finally {
  await stage.stop();
}
say(unfound.length === 0 ? `all ${wanted.length} faults were found` : `not as it must be: ${unfound.join('; ')}`);
process.exitCode = unfound.length === 0 ? 0 : 1;

async function holdWithoutFault(): Promise<void> {
  const { failure } = await check([], runsWithoutFault);
  say(failure === undefined ? `without a fault: ${runsWithoutFault} histories held` : `WITHOUT A FAULT: ${failure}`);
  if (failure !== undefined) unfound.push('the product itself');
}

async function find(name: string, replacements: Parameters<typeof copyWith>[0]): Promise<void> {
  const begin = performance.now();
  const { runs, failure } = await check(replacements, mostRuns);
  const seconds = Math.round((performance.now() - begin) / 1000);
  if (failure === undefined) {
    unfound.push(name);
    say(`NOT FOUND in ${runs} runs: ${name}`);
    return;
  }
  say(`found in run ${runs}, after ${seconds} s: ${name}`);
  // The history comes first, then what was wrong in the end.
  const reason = failure.split('\n').filter((line) => !line.startsWith('  {') && !line.startsWith('    at '));
  for (const line of reason.slice(1, 4)) say(`    ${line.trim().slice(0, 200)}`);
}

async function check(replacements: Parameters<typeof copyWith>[0], runs: number) {
  const copy = copyWith(replacements);
  try {
    return await checkHistories({ stage, runs, seed, root: copy.root });
  } finally {
    copy.remove();
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
