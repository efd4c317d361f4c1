/** Thousands of connections that say nothing, some that say nonsense: the daemon goes on, and its memory stays. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { ready, scrape } from './daemon.ts';
import type { Stage } from './stage.ts';
import { until } from './until.ts';
import type { CleanUp, Tell } from './webhook-runs.ts';
import { webhookPort, webhooksOnly } from './webhook-runs.ts';
import { alert, WebhookSender } from './webhook-sender.ts';

const mebibyte = 2 ** 20;

/** Opens so many connections, sends what is refused, and sees to it that an alert still gets through. */
export async function crowd(
  stage: Stage,
  size: { readonly connections: number },
  cleanUp: CleanUp,
  tell: Tell = () => {},
) {
  const home = await stage.home('events');
  const daemon = await stage.daemonProcess(home, webhooksOnly());
  await ready(daemon);
  const port = webhookPort(daemon);
  const sender = new WebhookSender(port, '/falco/webhook', { connections: 4 });
  const sockets: Socket[] = [];
  tell(() => `${sockets.length} connections made, answered ${JSON.stringify(sender.statuses)}`);
  cleanUp(async () => {
    for (const socket of sockets) socket.destroy();
    await sender.close();
  });
  assert.equal(await sender.send(alert('Before')), 200);
  const before = residentMegabytes(daemon.pid);
  for (let opened = 0; opened < size.connections; opened += 100) {
    for (let one = 0; one < 100; one += 1) sockets.push(connect(port, '127.0.0.1').on('error', () => {}));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const refused = await until('connections to be refused', async () => {
    const count = (await scrape(daemon)).value('zen_watcher_webhook_connections_refused_total');
    return count > 0 ? { count } : undefined;
  });
  // They say nothing and are cut; then there is room again.
  await until('an alert to get through', async () => (await sender.send(alert('Through'))) === 200);
  const bomb = gzipSync(Buffer.alloc(200 * mebibyte, 0x20)).toString('latin1');
  // Some of the crowd may still be there: a connection can be refused.
  const refusedAs = (what: string, body: string, statuses: readonly number[]) =>
    until(what, async () => statuses.includes(await sender.send(body)));
  for (let round = 0; round < 20; round += 1) {
    await refusedAs('11 MiB to be too much', ' '.repeat(11 * mebibyte), [413]);
    await refusedAs('2 million levels to be too many', '['.repeat(2 * mebibyte), [413]);
    await refusedAs('nonsense to be told so', bomb, [400, 413]);
  }
  // The connection on which something was refused may be at its end.
  await until('an alert to be taken after all that', async () => (await sender.send(alert('After'))) === 200);
  const after = residentMegabytes(daemon.pid);
  assert.ok(after - before < 150, `${before} MB before, ${after} MB after`);
  assert.equal(await daemon.end('SIGTERM'), 0);
  return { refused: refused.count, megabytes: { before, after } };
}

function residentMegabytes(pid: number): number {
  return Math.round((Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024) / 1e6);
}
