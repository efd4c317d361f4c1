/**
 * `npm run test:kills [-- --kills=100 --findings=5000 --seed=N]`: kills the real process at random moments under load, on a
 * real control plane (test/support/kill-run.ts). Prints its figures; exit code 1 when anything was lost, doubled or written
 * in vain. The same seed makes the same decisions; what the process was doing at that moment differs.
 */
import { parseArgs } from 'node:util';
import { ensureBinaries } from '../cluster/binaries.ts';
import { killAgainAndAgain } from '../support/kill-run.ts';
import { Stage } from '../support/stage.ts';

const say = (line: string) => process.stderr.write(`${line}\n`);

const { values } = parseArgs({
  options: { kills: { type: 'string' }, findings: { type: 'string' }, seed: { type: 'string' } },
});
const size = {
  kills: wholeNumber('kills', values.kills ?? '100'),
  findings: wholeNumber('findings', values.findings ?? '5000'),
  seed: wholeNumber('seed', values.seed ?? String(Date.now() % 1_000_000)),
};
await ensureBinaries({ log: say });
say(`${size.kills} kills under ${size.findings} findings, --seed=${size.seed}`);
const stage = await Stage.start();
try {
  process.stdout.write(
    `${JSON.stringify({ ...size, ...(await killAgainAndAgain(stage, size, say)) }, undefined, 2)}\n`,
  );
} catch (error) {
  say(`failed with --seed=${size.seed}`);
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  if (error instanceof Error && error.cause !== undefined) say(String(error.cause));
  process.exitCode = 1;
} finally {
  await stage.stop();
}

function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number > 0) return number;
  say(`--${name} takes a whole number above 0, not ${text}`);
  process.exit(2);
}
