/** What is told of Leases that cannot be had. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { KubeError } from '../../src/kube/kube-error.ts';
import { LeaderReporter } from '../../src/telemetry/leader-reporter.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { Collector } from '../support/collector.ts';

test('a Lease that cannot be had is told once, with a hint at permissions where the server says that they lack', async () => {
  for (const [status, isHinted] of [
    [403, true],
    [500, false],
  ] as const) {
    const out = new Collector();
    const registry = new Registry();
    const reporter = new LeaderReporter({
      logger: createLogger({ level: 'info', out }),
      registry,
      identity: 'a',
      isLeading: () => false,
      members: () => 1,
      shards: () => ({ total: 1, read: 1, led: 0 }),
    });
    const error = new KubeError({ status, reason: 'X', message: `answered ${status}` });
    for (let attempt = 0; attempt < 3; attempt += 1) reporter.failed('zen-watcher-leader', error);
    await new Promise((resolve) => setImmediate(resolve));
    const lines = out.text.trim().split('\n');
    assert.equal(lines.length, 1);
    const line = JSON.parse(lines[0] ?? '');
    assert.equal(line.reason, `answered ${status}`);
    assert.equal('hint' in line, isHinted);
    const [counted] = (await registry.getSingleMetric('zen_watcher_lease_failures_total')?.get())?.values ?? [];
    assert.equal(counted?.value, 3);
  }
});
