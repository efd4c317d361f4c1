/** How many connections the client makes to a real API server, through proxies, and with a CA that changes. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { kubeConfigFor } from '../support/misbehaving-server.ts';
import { waitFor } from '../support/recorder.ts';
import { clientOf, SetClock } from '../support/reflecting.ts';
import { type UsedControlPlane, useControlPlane } from '../support/shared-control-plane.ts';
import { TcpGate } from '../support/tcp-gate.ts';
import { clientFor, Watching } from '../support/watching.ts';

const get = { method: 'GET', path: '/version', verb: 'get', resource: 'version' } as const;

suite('connections to a real server', () => {
  let used: UsedControlPlane;

  before(async () => {
    used = await useControlPlane();
  });

  after(() => used.stop());

  test('one for each watch and a few for all requests, also after many watches', async () => {
    const gate = await TcpGate.open(used.controlPlane.server);
    const client = clientFor(used.controlPlane, { server: gate.url });
    const resources = ['pods', 'services', 'endpoints', 'configmaps', 'events'];
    const watches = resources.map((resource) =>
      new Watching(used.controlPlane, {
        collection: { group: '', version: 'v1', resource, namespace: 'kube-public' },
        server: gate.url,
        timing: { watchSeconds: 1 },
      }).start(),
    );
    try {
      for (const { recorder } of watches) await recorder.logged('live');
      await waitFor('three watches each', async () => {
        await Promise.all(Array.from({ length: 10 }, () => client.request(get)));
        return watches.every((one) => one.count('watch') >= 3);
      });
      await Promise.all(Array.from({ length: 50 }, () => client.request(get)));
      // Each of these has a client of its own, which keeps the connection of a list by pages.
      const lists = watches.filter((one) => one.count('list') > 0).length;
      assert.ok(gate.mostAtOnce <= 5 + lists + 4, `${gate.mostAtOnce} at once, ${gate.connections} in all`);
      assert.ok(watches.every((one) => one.recorder.listings === 1));
    } finally {
      await Promise.all(watches.map((one) => one.stop()));
      await client.close();
      await waitFor('the end of all', () => gate.open === 0).finally(() => gate.close());
    }
  });

  test('through an HTTP proxy', async () => {
    const seen: string[] = [];
    const proxy = createServer().on('connect', (request, socket, head) => {
      seen.push(request.url ?? '');
      const [host = '', port] = (request.url ?? '').split(':');
      const upstream = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        upstream.write(head);
        upstream.pipe(socket).pipe(upstream);
      });
      upstream.on('error', () => socket.destroy());
      socket.on('error', () => upstream.destroy()).on('close', () => upstream.destroy());
    });
    await new Promise<void>((resolve) => void proxy.listen(0, '127.0.0.1', resolve));
    const { server, adminToken, caPath } = used.controlPlane;
    const kubeConfig = kubeConfigFor(server, { token: adminToken }, caPath);
    const proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    kubeConfig.clusters = kubeConfig.clusters.map((cluster) => ({ ...cluster, proxyUrl }));
    const client = clientOf(kubeConfig);
    const { body } = await client.request(get);
    assert.match(body.toString(), /gitVersion/);
    assert.deepEqual(seen, [new URL(server).host]);
    await client.close();
    proxy.close();
  });

  test('trust the CA that the file holds now', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'zen-ca-'));
    const caFile = join(folder, 'ca.crt');
    const { server, adminToken, caPath } = used.controlPlane;
    const clock = new SetClock();
    writeFileSync(caFile, '');
    const client = clientOf(kubeConfigFor(server, { token: adminToken }, caFile), { clock });
    await assert.rejects(client.request(get), /self.signed certificate|unable to verify|certificate/i);
    copyFileSync(caPath, caFile);
    await assert.rejects(client.request(get), 'the file is read every ten seconds');
    clock.nowMs += 10_001;
    assert.equal((await client.request(get)).status, 200);
    await client.close();
    rmSync(folder, { recursive: true });
  });
});
