/** P7: resident memory when idle and time to ready, bundled, beside the unbundled run. */
import { freePort } from '../cluster/ports.ts';
import type { BenchCluster } from './cluster.ts';
import { makeNamespace } from './cluster.ts';
import type { Figure } from './figure.ts';
import { median, rounded } from './figure.ts';
import type { WebhookOptions } from './processes.ts';
import { bundlePath, residentMegabytes, sourcePath, startWatcher, untilReady } from './processes.ts';

const runs = 3;
const idleMs = 8_000;

export async function measureIdle(cluster: BenchCluster, log: (line: string) => void): Promise<Figure[]> {
  await makeNamespace(cluster, 'bench-p7');
  const bundled = await measure(cluster, bundlePath);
  const source = await measure(cluster, sourcePath);
  const port = await freePort();
  const webhooks = { port, host: '127.0.0.1', routes: { falco: { open: true }, audit: { open: true } } } as const;
  const serving = await measure(cluster, bundlePath, webhooks);
  log(
    `P7 bundled ${bundled.megabytes.toFixed(0)} MB, ready ${bundled.readyMs.toFixed(0)} ms; unbundled ${source.megabytes.toFixed(0)} MB, ${source.readyMs.toFixed(0)} ms`,
  );
  return [
    {
      id: 'P7',
      value: rounded(bundled.megabytes, 1),
      unit: 'MB resident, idle',
      ratio: rounded(bundled.megabytes / source.megabytes),
      goal: 'under 100 MB resident when idle, bundled',
      ok: bundled.megabytes < 100,
      note: `unbundled ${source.megabytes.toFixed(1)} MB`,
    },
    {
      id: 'P7.webhooks',
      value: rounded(serving.megabytes, 1),
      unit: 'MB resident, idle, webhooks on',
      ratio: rounded(serving.megabytes / bundled.megabytes),
      goal: 'under 130 MB resident when idle with webhooks, bundled',
      ok: serving.megabytes < 130,
    },
    {
      id: 'P7.ready',
      value: rounded(bundled.readyMs, 0),
      unit: 'ms from process start to ready',
      ratio: rounded(bundled.readyMs / source.readyMs),
      goal:
        cluster.container === undefined
          ? 'ready within 1,000 ms of process start while the server answers (unthrottled CPU)'
          : 'ready within 4,000 ms of process start while the server answers, at 200m',
      ok: bundled.readyMs < (cluster.container === undefined ? 1000 : 4000),
      note: `unbundled ${source.readyMs.toFixed(0)} ms`,
    },
  ];
}

async function measure(
  cluster: BenchCluster,
  program: string,
  webhooks?: WebhookOptions,
): Promise<{ megabytes: number; readyMs: number }> {
  const megabytes: number[] = [];
  const ready: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    const startedAt = performance.now();
    const watcher = startWatcher(cluster, 'bench-p7', { program, ...(webhooks === undefined ? {} : { webhooks }) });
    await untilReady(await watcher.port());
    ready.push(performance.now() - startedAt);
    await new Promise((resolve) => setTimeout(resolve, idleMs));
    megabytes.push(residentMegabytes(watcher.pid).now);
    await watcher.stop();
  }
  return { megabytes: median(megabytes), readyMs: median(ready) };
}
