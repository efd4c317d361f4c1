/** What the log does with a stdout that fails: with a real one, since streams differ in what they do after an error. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { json } from 'node:stream/consumers';
import { suite, test } from 'node:test';

const program = `
  import { createLogger } from './src/telemetry/logger.ts';
  const logger = createLogger({ level: 'info', out: process.stdout });
  let isBroken = false;
  logger.broken.then(() => { isBroken = true; });
  for (const message of ['one', 'two', 'three']) {
    logger.info(message);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  process.stderr.write(JSON.stringify({ dropped: logger.dropped(), isBroken }));
`;

/** What became of three lines, by the logger's own account. */
async function threeLines(stdout: number | 'gone'): Promise<unknown> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: new URL('../..', import.meta.url),
    stdio: ['ignore', stdout === 'gone' ? 'pipe' : stdout, 'pipe'],
  });
  child.stdout?.destroy();
  assert.ok(child.stderr);
  return await json(child.stderr);
}

suite('logger', () => {
  test('a full disk: lines are dropped and counted, and that is all', async () => {
    assert.deepEqual(await threeLines(openSync('/dev/full', 'w')), { dropped: 3, isBroken: false });
  });

  test('a broken pipe: lines are dropped, and it says that there will be no reader', async () => {
    assert.deepEqual(await threeLines('gone'), { dropped: 3, isBroken: true });
  });
});
