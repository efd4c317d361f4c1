/**
 * `npm run test:tools`: falcosidekick, which others wrote, between Falco's alerts and the daemon, configured as
 * examples/falco says. Skipped where it is not on PATH (or named by FALCOSIDEKICK).
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { request } from 'undici';
import { parse, stringify } from 'yaml';
import { freePort } from '../cluster/ports.ts';
import { CertificateAuthority } from '../support/certificates.ts';
import { assertBooksBalance, ready, scrape, type TestDaemon } from '../support/daemon.ts';
import { repositoryRoot } from '../support/repository.ts';
import { Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';
import { countsOf, webhookPort, webhooksOnly } from '../support/webhook-runs.ts';
import { alert, WebhookSender } from '../support/webhook-sender.ts';

const program = process.env['FALCOSIDEKICK'] ?? 'falcosidekick';
const isThere = spawnSync(program, ['--version']).status === 0;
const token = 'invented-token-of-falcosidekick';

suite('falcosidekick', { skip: isThere ? false : 'it is not on PATH' }, () => {
  let folder: string;
  let stage: Stage;
  let daemon: TestDaemon;
  let end: (() => Promise<void>) | undefined;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'zen-watcher-falcosidekick-'));
    const file = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const ca = new CertificateAuthority();
    const { cert, key } = ca.issue({ commonName: 'zen-watcher', alternativeNames: ['IP:127.0.0.1'] });
    const caFile = file('ca.crt', ca.cert);
    stage = await Stage.start({ crds: 'events' });
    const home = await stage.home('events');
    daemon = await stage.daemon(home, {
      ...webhooksOnly({
        webhooks: {
          host: '127.0.0.1',
          port: 0,
          routes: { falco: { tokenFiles: [file('token', token)] } },
          tls: { certFile: file('tls.crt', cert), keyFile: file('tls.key', key) },
        },
      }),
      timing: { signalStepsMs: [200] },
    });
    await ready(daemon);
    const values = parse(readFileSync(join(repositoryRoot, 'examples/falco/values-falcosidekick.yaml'), 'utf8'));
    const { webhook } = values.falcosidekick.config;
    // The example, but for the address.
    const address = webhook.address.replace('zen-watcher.zen-system.svc:8081', `127.0.0.1:${webhookPort(daemon)}`);
    assert.notEqual(address, webhook.address);
    const port = await freePort();
    const settings = { listenaddress: '127.0.0.1', listenport: port, webhook: { ...webhook, address } };
    const child = spawn(program, ['--config-file', file('config.yaml', stringify(settings))], {
      // As the chart gives it what is in the Secret of the example.
      env: { WEBHOOK_CUSTOMHEADERS: `Authorization:Bearer ${token}`, SSL_CERT_FILE: caFile, HOME: folder },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text));
    const ended = new Promise<void>((resolve) => void child.once('close', () => resolve()));
    end = async () => {
      child.kill('SIGTERM');
      await ended;
    };
    sidekick = `http://127.0.0.1:${port}`;
    await until('falcosidekick to listen', async () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${said}`);
      return (await request(`${sidekick}/ping`)).statusCode === 200;
    });
  });
  after(async () => {
    await end?.();
    await stage?.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  let sidekick = '';

  test('alerts sent through it are the events, each occurrence counted once', async (t) => {
    const rules = ['Shell', 'Shell', 'Read sensitive file', 'Shell', 'Drop and execute'];
    const sender = new WebhookSender(Number(new URL(sidekick).port), '/');
    t.after(() => sender.close());
    const sent = Array.from({ length: 40 }, (_, index) => rules[index % rules.length] as string);
    assert.deepEqual([...new Set(await sender.sendAll(sent.map(alert)))], [200]);
    // It forwards on its own time.
    await until('all to be received', async () => (await scrape(daemon)).received >= sent.length);
    await assertBooksBalance(daemon);
    const events = await stage.events(daemon.namespace);
    const counts = [...countsOf(events)].sort();
    assert.deepEqual(counts, [
      ['Drop and execute', 8],
      ['Read sensitive file', 8],
      ['Shell', 24],
    ]);
    const { body } = await request(`${sidekick}/metrics`);
    const outputs = (await body.text()).split('\n').filter((line) => line.includes('falcosidekick_outputs_total{'));
    assert.match(outputs.join('\n'), /destination="webhook".*status="ok".* 40$/m);
    assert.doesNotMatch(outputs.join('\n'), /destination="webhook".*status="error"/);
    t.diagnostic(outputs.join('\n'));
  });

  test('its own test event is taken, and filtered for its priority', async () => {
    const before = await scrape(daemon);
    assert.equal((await request(`${sidekick}/test`, { method: 'POST' })).statusCode, 200);
    await until('it', async () => {
      const now = await scrape(daemon);
      return now.received === before.received + 1 && now;
    });
    await assertBooksBalance(daemon);
  });
});
