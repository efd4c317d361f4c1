/**
 * `npm run test:image`: the bundle as the chart runs it: the image's file system, read-only, as user 1001 without
 * capabilities, within the chart's limits of CPU and memory, with the chart's service account, on the real server (R2, P7).
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeContainer } from '../support/container.ts';
import { assertBooksBalance, ready, scrape } from '../support/daemon.ts';
import { bundleInImage, makeImageRoot } from '../support/image-root.ts';
import { repositoryRoot } from '../support/repository.ts';
import { Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';
import { putReport, vulnerabilities, vulnerabilityReport } from '../support/vulnerability-reports.ts';

const isPossible = process.platform === 'linux' && process.getuid?.() === 0;

suite('the image', { skip: isPossible ? false : 'laying out a root takes Linux and root' }, () => {
  let stage: Stage;

  before(async () => {
    execFileSync('npm', ['run', '--silent', 'build'], { cwd: repositoryRoot });
    stage = await Stage.start();
  });
  after(() => stage?.stop());

  test('runs within the limits of the chart, may write nowhere, and does its work', async (t) => {
    const home = await stage.home('image');
    const team = await stage.namespace('team');
    const container = makeContainer('zen-watcher-image');
    const root = makeImageRoot(stage.controlPlane.folder);
    const startedAt = performance.now();
    const daemon = await stage.daemonProcess(home, {
      program: bundleInImage,
      wrapper: [...container.wrapper, ...root.wrapper],
      nodeOptions: container.nodeOptions,
    });
    try {
      await ready(daemon);
      t.diagnostic(`limits: ${container.limits}; ready after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
      const status = (field: string) =>
        new RegExp(`^${field}:[ \\t]*(.*)$`, 'm').exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8'))?.[1] ?? '';
      assert.match(status('Uid'), /^1001\s+1001\s+1001\s+1001$/);
      assert.match(status('Gid'), /^1001\s+1001\s+1001\s+1001$/);
      assert.match(status('Groups').trim(), /^(1001)?$/);
      for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) assert.match(status(set), /^0+$/, set);
      assert.equal(status('NoNewPrivs'), '1');
      assert.deepEqual(writableIn(root.wrapper), []);

      await sleep(20_000);
      t.diagnostic(`after 20 s of rest: ${status('VmRSS')} resident, ${status('VmHWM')} at the peak`);
      for (let report = 0; report < 20; report += 1) {
        const workload = `web-${report}`;
        await putReport(
          stage,
          vulnerabilityReport({ namespace: team, workload, vulnerabilities: vulnerabilities(20) }),
        );
      }
      await until('400 events', async () => (await stage.events(home.namespace)).length === 400);
      await assertBooksBalance(daemon);
      t.diagnostic(`after 400 events: ${status('VmRSS')} resident, ${status('VmHWM')} at the peak`);
      const peak = container.peakBytes();
      if (peak !== undefined) t.diagnostic(`most memory by the kernel's count: ${(peak / 2 ** 20).toFixed(0)} MiB`);
      const now = await scrape(daemon);
      assert.ok(now.samples.some(({ name }) => name === 'zen_watcher_build_info'));
    } finally {
      await stage.end(daemon);
      root.remove();
      container.remove();
    }
    const last = daemon.lines().at(-1);
    assert.equal(last?.message, 'zen-watcher stopped', 'SIGTERM reaches the program itself');
    assert.equal(last?.['drained'], true);
  });
});

/** The folders of the image's file system in which the user of the image could write. */
function writableIn(wrapper: readonly string[]): string[] {
  const program = `
    const { readdirSync, statSync, accessSync, writeFileSync, constants } = require('node:fs');
    const found = [];
    const look = (folder) => {
      if (['/proc', '/sys', '/dev'].includes(folder)) return;
      try { writeFileSync(folder + '/probe', ''); found.push(folder); } catch {}
      for (const entry of readdirSync(folder, { withFileTypes: true })) {
        if (entry.isDirectory()) try { look((folder === '/' ? '' : folder) + '/' + entry.name); } catch {}
      }
    };
    look('/');
    console.log(JSON.stringify(found));`;
  const [command = '', ...args] = [...wrapper, process.execPath, '-e', program];
  return JSON.parse(execFileSync(command, args, { encoding: 'utf8' }));
}
