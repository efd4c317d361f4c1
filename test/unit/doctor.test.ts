/** What doctor makes of a daemon's metrics, and of a CRD that is not ours. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { suite, type TestContext, test } from 'node:test';
import { KubeConfig } from '@kubernetes/client-node';
import { eventSchema } from '../../src/api/schema.ts';
import { type Trouble, troublesIn } from '../../src/cli/daemon-troubles.ts';
import { differences } from '../../src/cli/doctor-crd.ts';
import { lookAtDaemon } from '../../src/cli/doctor-daemon.ts';
import { samplesIn } from '../../src/cli/metrics-text.ts';
import { configSchema } from '../../src/config/schema.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { clientOf } from '../support/reflecting.ts';

const healthy = `# HELP zen_watcher_ready 1 while /readyz says so.
zen_watcher_ready 1
zen_watcher_config_valid 1
zen_watcher_build_info{version="1.2.3"} 1
zen_watcher_books_discrepancy 0
zen_watcher_queue_items 0
zen_watcher_informer_forbidden{resource="pods"} 0
zen_watcher_informer_stale_seconds{resource="pods"} 0
zen_watcher_webhook_requests_total{endpoint="/falco/webhook",status="200"} 100
zen_watcher_webhook_requests_total{endpoint="/falco/webhook",status="401"} 0
zen_watcher_api_requests_total{verb="create",resource="zenagentevents",code="201"} 1000
process_start_time_seconds 1000000000
`;

function troubles(now: string, before = now): Pick<Trouble, 'status' | 'says' | 'page'>[] {
  return troublesIn({ before: samplesIn(before), now: samplesIn(now), seconds: 2 });
}

suite("doctor: a daemon's metrics", () => {
  test('are read with their labels, and what is none is left out', () => {
    assert.deepEqual(samplesIn('a{x="1\\"2\\\\",y="n\\nn"} 3\n# a 4\nb 1e3 1700000000\nnonsense\nc x\n'), [
      { name: 'a', labels: { x: '1"2\\', y: 'n\nn' }, value: 3 },
      { name: 'b', labels: {}, value: 1000 },
    ]);
  });

  test('say nothing of one that is well', () => assert.deepEqual(troubles(healthy), []));

  test('say that writes are throttled while they are, and no warning of it when it is long over', () => {
    const throttled = (times: number, items: number, created = 1000) =>
      healthy
        .replace('queue_items 0', `queue_items ${items}`)
        .replace('code="201"} 1000', `code="201"} ${created}`)
        .concat(`zen_watcher_write_retries_total{cause="throttled"} ${times}\n`);
    const page = 'ZenWatcherWriteFailures';
    const words = (text: string) => `writes were throttled (429) and tried again: ${text}`;
    assert.deepEqual(troubles(throttled(11, 4)), [
      { status: 'warn', says: words('11 times in 1000 writes; 4 wait now'), page },
    ]);
    assert.deepEqual(troubles(throttled(11, 0), throttled(8, 0)), [
      { status: 'warn', says: words('11 times in 1000 writes, 3 of them in the last 2 s; 0 wait now'), page },
    ]);
    assert.equal(troubles(throttled(11, 0, 12))[0]?.status, 'warn');
    assert.deepEqual(troubles(throttled(11, 0)), [
      { status: undefined, says: words('11 times in 1000 writes; 0 wait now'), page },
    ]);
  });

  test('say which webhook refuses, and fail where nothing of a sender came in', () => {
    const [some] = troubles(healthy.replace('status="401"} 0', 'status="401"} 5'));
    assert.deepEqual(some, {
      status: 'warn',
      says: '/falco/webhook: 5 of 105 requests were answered 401 (no valid credential)',
      page: 'ZenWatcherWebhooksRejected',
    });
    const none = healthy.replace('status="401"} 0', 'status="401"} 5').replace('status="200"} 100', 'status="200"} 0');
    assert.equal(troubles(none)[0]?.status, 'fail');
    const scanned = `${healthy}zen_watcher_webhook_requests_total{endpoint="/falco/webhook",status="415"} 3\n`;
    assert.equal(troubles(scanned)[0]?.status, undefined, 'three of a hundred, and none now');
  });

  test('say what is so at the moment, the gravest first', () => {
    const bad = healthy
      .replace('forbidden{resource="pods"} 0', 'forbidden{resource="pods"} 1')
      .replace('config_valid 1', 'config_valid 0')
      .replace('stale_seconds{resource="pods"} 0', 'stale_seconds{resource="pods"} 400')
      .concat('zen_watcher_rejected_total{source="trivy",reason="malformed"} 1\n');
    assert.deepEqual(
      troubles(bad).map(({ status, page }) => `${status} ${page}`),
      ['fail ZenWatcherForbidden', 'warn ZenWatcherConfigInvalid', 'warn ZenWatcherReportsMalformed'],
    );
  });
});

suite('doctor: where the metrics are', () => {
  /** A server of HTTP that answers by path. */
  async function serving(t: TestContext, answers: Readonly<Record<string, string>>) {
    const asked: string[] = [];
    const server = createServer(({ url = '' }, response) => {
      asked.push(url);
      const text = answers[url];
      response.writeHead(text === undefined ? 403 : 200).end(text ?? 'no');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    return { asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  }

  async function look(
    t: TestContext,
    api: string,
    { port = 1, metricsUrl }: { port?: number; metricsUrl?: string } = {},
  ) {
    const kubeConfig = new KubeConfig();
    kubeConfig.loadFromClusterAndUser({ name: 'x', server: api, skipTLSVerify: true }, { name: 'x', token: 'x' });
    const client = clientOf(kubeConfig);
    t.after(() => client.close());
    const config = configSchema.parse({ server: { metricsPort: port } });
    return (await lookAtDaemon({ client, config, clock: systemClock, metricsUrl }))();
  }

  const podsPath = '/api/v1/namespaces/zen-system/pods';
  const pod = (name: string, phase = 'Running') => ({ metadata: { name }, status: { phase } });

  test("every replica's, by the API server's proxy, where nothing answers here", async (t) => {
    const items = [pod('zen-watcher-a'), pod('zen-watcher-b'), pod('zen-watcher-old', 'Succeeded')];
    const { url, asked } = await serving(t, {
      [`${podsPath}?labelSelector=app%3Dzen-watcher`]: JSON.stringify({ items }),
      [`${podsPath}/zen-watcher-a:1/proxy/metrics`]: healthy,
      [`${podsPath}/zen-watcher-b:1/proxy/metrics`]: healthy.replace(/^zen_watcher_ready 1$/m, 'zen_watcher_ready 0'),
    });
    const check = await look(t, url);
    assert.equal(check.status, 'fail');
    assert.match(check.says, /^sees 1 trouble: Pod zen-watcher-a \(version 1\.2\.3, up for \d+ h\), Pod zen-watcher-b/);
    assert.match(
      check.details?.join() ?? '',
      /^Pod zen-watcher-b: \/readyz answers 503.*runbooks\/ZenWatcherNotReady\.md$/,
    );
    assert.ok(!asked.some((path) => path.includes('zen-watcher-old')));
  });

  test('says why it saw nothing, and what to do', async (t) => {
    const { url } = await serving(t, {});
    const check = await look(t, url);
    assert.equal(check.status, 'skip');
    assert.match(check.says, /^not looked at.*throttles.*refused$/);
    assert.match(check.details?.join() ?? '', /127\.0\.0\.1:1\/metrics: .*,403 no$/);
    assert.match(
      check.fix ?? '',
      /kubectl exec -n zen-system deploy\/zen-watcher -- zen-watcher doctor.*--metrics-url/,
    );
  });

  test('takes no other program for the daemon, and fails where a URL that was given is none', async (t) => {
    const other = await serving(t, { '/metrics': 'node_cpu_seconds_total 1\n' });
    const metricsUrl = `${other.url}/metrics`;
    const check = await look(t, other.url, { metricsUrl });
    assert.deepEqual([check.status, check.details], ['fail', [`${metricsUrl} is no zen-watcher`]]);
    const port = Number(new URL(other.url).port);
    assert.equal((await look(t, other.url, { port })).status, 'skip');
  });
});

suite('doctor: the CRD', () => {
  test('is ours', () => assert.deepEqual([...differences(eventSchema, structuredClone(eventSchema))], []));

  test('is ours in another order and with other words about it', () => {
    const { spec } = eventSchema.properties;
    const severity = {
      ...spec.properties.severity,
      enum: spec.properties.severity.enum.toReversed(),
      description: '?',
    };
    const other = {
      properties: { ...eventSchema.properties, spec: { ...spec, properties: { ...spec.properties, severity } } },
    };
    assert.deepEqual([...differences(eventSchema, { ...eventSchema, ...other })], []);
  });

  test('is another: each place is named', () => {
    const other = JSON.parse(JSON.stringify(eventSchema));
    delete other.properties.spec.properties.origin;
    other.properties.spec.properties.severity.enum.pop();
    other.properties.status.properties.fromTheFuture = { type: 'string' };
    delete other['x-kubernetes-validations'];
    assert.deepEqual(
      [...differences(eventSchema, other)],
      [
        'x-kubernetes-validations is another',
        'spec.severity: enum is another',
        'spec.origin: is missing in it',
        'status.fromTheFuture: is not known to this version',
      ],
    );
  });
});
