/**
 * Programs that some tests need and Debian's packages bring: promtool and prometheus (package prometheus), chromium. Without
 * one its tests are skipped and counted; in CI they fail, unless .ci/run could not install it and says so.
 */
import { spawnSync } from 'node:child_process';

/** False where the tests shall run, else why not. */
export function skipWithout(program: 'promtool' | 'prometheus' | 'chromium'): string | false {
  if (spawnSync('which', [program]).status === 0) return false;
  const isDemanded = process.env['CI'] === 'true' && process.env['ZEN_TOOLS_ABSENT'] === undefined;
  return isDemanded ? false : `there is no ${program}`;
}
