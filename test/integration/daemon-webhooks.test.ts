/** Webhooks on the real server (I4, F6, Q1): what is answered is there, whatever happens meanwhile. In full: `npm run test:webhooks`. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { ask, linesOf, logged, ready, scrape } from '../support/daemon.ts';
import { Stage } from '../support/stage.ts';
import {
  burst,
  countsOf,
  drainBeyondBudget,
  endUnderLoad,
  lostAnswers,
  outage,
  webhookPort,
  webhooksOnly,
} from '../support/webhook-runs.ts';
import { alert, WebhookSender } from '../support/webhook-sender.ts';

suite('daemon: webhooks', () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.start({ crds: 'events' });
  });
  after(() => stage?.stop());

  test('identical alerts are one event with their count and a handful of writes; different ones are all there or folded by the budget', async (t) => {
    t.diagnostic(
      JSON.stringify(await burst(stage, { identical: 400, different: 150, events: 100 }, (end) => t.after(end))),
    );
  });

  test('answers to writes that are lost: every occurrence counts once', async (t) => {
    t.diagnostic(JSON.stringify(await lostAnswers(stage, { lost: 4, senders: 4 }, (end) => t.after(end))));
  });

  test('an API server that cannot be reached: nothing that was answered 200 or 202 is missing afterwards, and counts are exact', async (t) => {
    t.diagnostic(JSON.stringify(await outage(stage, { seconds: 3, senders: 8 }, (end) => t.after(end))));
  });

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    test(`${signal} under load loses nothing that was answered`, async (t) => {
      t.diagnostic(
        JSON.stringify(await endUnderLoad(stage, signal, { senders: 8, alerts: 120 }, (end) => t.after(end))),
      );
    });
  }

  test('SIGTERM while more waits than the write budget allows in the time left: all that was answered is written', async (t) => {
    const figures = await drainBeyondBudget(stage, { alerts: 200, perSecond: 1 }, (end) => t.after(end));
    t.diagnostic(JSON.stringify(figures));
  });

  test('routes by credential: strangers are told so, tokens stay out of logs and metrics, what has no credential is absent', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'zen-tokens-'));
    const token = 'the-token-that-nobody-may-see';
    writeFileSync(join(folder, 'falco'), token);
    const home = await stage.home('events');
    const webhooks = { port: 0, host: '127.0.0.1', legacyPort: true, routes: { falco: { tokenFiles: [folder] } } };
    const daemon = await stage.daemon(home, webhooksOnly({ webhooks }));
    try {
      await ready(daemon);
      const port = webhookPort(daemon);
      const statusOf = async (path: string, credential?: string, at = port) => {
        const sender = new WebhookSender(at, path, credential === undefined ? {} : { token: credential });
        const status = await sender.send(alert('Shell'));
        await sender.close();
        return status;
      };
      assert.equal(await statusOf('/falco/webhook'), 401);
      assert.equal(await statusOf('/falco/webhook', 'some-other-token-that-is-wrong'), 401);
      assert.equal(await statusOf('/falco/webhook', token), 200);
      assert.equal(await statusOf(`/falco/webhook/${token}`), 200);
      assert.equal(await statusOf('/webhook/falco', token), 200);
      assert.equal(await statusOf('/webhook/falco', token, daemon.port), 200, 'the older port');
      assert.equal(await statusOf('/webhook/falco', undefined, daemon.port), 401);
      assert.equal(await statusOf('/audit/webhook', token), 404);
      assert.equal((await ask(daemon, '/healthz')).code, 200);
      const [absent] = linesOf(daemon, 'webhooks without a credential are absent');
      assert.match(String(absent?.['paths']), /\/audit\/webhook/);
      assert.doesNotMatch(String(absent?.['paths']), /falco/);
      await logged(daemon, 'requests to a webhook are refused', { status: 401 });
      const { text } = await ask(daemon, '/metrics');
      assert.doesNotMatch(text, new RegExp(token));
      assert.doesNotMatch(JSON.stringify(daemon.lines()), new RegExp(token));
      const scraped = await scrape(daemon);
      assert.equal(scraped.value('zen_watcher_webhook_refused_total', { status: '401' }), 3);
      assert.equal(scraped.value('zen_watcher_tools_active', { tool: 'falco' }), 1);
    } finally {
      await stage.end(daemon);
      rmSync(folder, { recursive: true });
    }
    assert.deepEqual([...countsOf(await stage.events(home.namespace))], [['Shell', 4]]);
  });

  test('a report that is sent becomes events; the next one of its key resolves what it holds no more', async (t) => {
    const home = await stage.home('events');
    const daemon = await stage.daemon(home, webhooksOnly());
    await ready(daemon);
    const sender = new WebhookSender(webhookPort(daemon), '/webhook/sarif');
    t.after(() => sender.close());
    const report = (...rules: string[]) => ({
      version: '2.1.0',
      runs: [
        {
          tool: { driver: { name: 'Linter', rules: [] } },
          results: rules.map((ruleId) => ({
            ruleId,
            level: 'error',
            message: { text: `${ruleId} is broken` },
            locations: [{ physicalLocation: { artifactLocation: { uri: 'app/main.tf' } } }],
          })),
        },
      ],
    });
    assert.equal(await sender.send(report('R1', 'R2')), 200);
    const titles = (await stage.events(home.namespace)).map(({ spec }) => spec.title);
    assert.deepEqual(titles.sort(), ['R1: R1 is broken', 'R2: R2 is broken']);
    assert.equal(await sender.send(report('R2')), 200);
    const phases = (await stage.events(home.namespace)).map(({ status }) => `${status?.phase} ${status?.reason ?? ''}`);
    assert.deepEqual(phases.sort(), ['Active ', 'Resolved fixed']);
    assert.equal(await sender.send({ nothing: 'that is known' }), 400);
    assert.equal(await sender.send('no JSON'), 400);
    const scraped = await scrape(daemon);
    assert.equal(scraped.value('zen_watcher_findings_rejected_total', { reason: 'malformed' }), 2);
    await stage.endBalanced(daemon);
  });
});
