/**
 * Five prepared faults for somebody who does not know which is where: `npm run exercise -- [seed]`. For each, in an order that the
 * seed decides, a daemon runs on a real control plane, and what `doctor`, its log and its metrics say is printed: no more than an
 * operator has. What the faults were is printed at the end, or by `--answers FILE` into a file, to be read afterwards.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ApiProxy } from '../support/api-proxy.ts';
import { crdFolder } from '../support/crd.ts';
import { ask, type DaemonProcess, type DaemonSettings } from '../support/daemon.ts';
import { changeRules, readRules } from '../support/daemon-account.ts';
import { repositoryRoot } from '../support/repository.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { definitionsIn, type Home, Stage } from '../support/stage.ts';
import {
  putReport,
  type Report,
  removeReports,
  vulnerabilities,
  vulnerabilityReport,
} from '../support/vulnerability-reports.ts';
import { webhookPort } from '../support/webhook-runs.ts';
import { alert, WebhookSender } from '../support/webhook-sender.ts';

/** What is wrong, and how it comes about. */
interface Fault {
  readonly name: string;
  /** Before the daemon starts. */
  prepare?(place: Place): Promise<void>;
  /** While it runs. */
  meanwhile?(place: Place, daemon: DaemonProcess): Promise<void>;
  undo?(place: Place): Promise<void>;
}

interface Place {
  readonly stage: Stage;
  readonly home: Home;
  readonly team: string;
  readonly proxy: ApiProxy;
}

const report = (team: string) =>
  vulnerabilityReport({ namespace: team, workload: 'web', vulnerabilities: vulnerabilities(5) });

const faults: readonly Fault[] = [
  {
    name: 'a permission is missing: list and watch vulnerabilityreports',
    prepare: ({ stage, home }) =>
      changeRules(
        stage.rest,
        home.account,
        readRules.filter(({ resources }) => !resources.includes('vulnerabilityreports')),
      ),
  },
  {
    name: 'Falco sends with a token that is not the configured one',
    async meanwhile(_place, daemon) {
      const sender = new WebhookSender(webhookPort(daemon), '/falco/webhook', { token: 'the-token-of-last-month' });
      for (let index = 0; index < 5; index += 1) await sender.send(alert(`Rule ${index}`));
      await sender.close();
    },
  },
  {
    name: 'the CRD of ZenAgentEvents is absent',
    prepare: ({ stage }) => stage.undefine('zenagentevents.zen.kube-zen.io'),
    undo: ({ stage }) => stage.define(...definitionsIn(crdFolder)),
  },
  {
    name: 'a report is malformed',
    async meanwhile({ stage, team }) {
      const { metadata, ...rest } = report(team);
      const broken = {
        ...rest,
        metadata: { ...metadata, name: 'replicaset-cart-5d59d67564-app' },
        report: { vulnerabilities: 'none' },
      };
      await putReport(stage, broken as unknown as Report);
    },
  },
  {
    name: 'the API server throttles: nine of ten writes are answered 429 with Retry-After',
    async prepare({ proxy }) {
      let writes = 0;
      proxy.refuse = ({ method, path }) => {
        if (method === 'GET' || !path.includes('/zenagentevents')) return undefined;
        writes += 1;
        const message = 'too many requests, please try again later';
        return writes % 10 === 0 ? undefined : { code: 429, headers: { 'retry-after': '1' }, message };
      };
    },
    async undo({ proxy }) {
      proxy.passAll();
    },
  },
];

const { positionals, values } = parseArgs({ allowPositionals: true, options: { answers: { type: 'string' } } });
const random = new SeededRandom(Number(positionals[0] ?? 1));
const order = faults
  .map((fault) => ({ fault, at: random.next() }))
  .toSorted((a, b) => a.at - b.at)
  .map(({ fault }) => fault);

const stage = await Stage.start();
try {
  for (const [index, fault] of order.entries()) {
    console.log(`\n===== case ${index + 1} =====`);
    await play(fault);
  }
} finally {
  await stage.stop();
}
const answers = order.map(({ name }, index) => `case ${index + 1}: ${name}`).join('\n');
if (values.answers === undefined) console.log(`\n===== answers =====\n${answers}`);
else writeFileSync(values.answers, `${answers}\n`);

async function play(fault: Fault): Promise<void> {
  const home = await stage.home('zen-system');
  const team = await stage.namespace('shop');
  const proxy = await ApiProxy.open(stage.controlPlane);
  const place = { stage, home, team, proxy };
  const tokens = join(stage.controlPlane.folder, `tokens-${home.namespace}`);
  mkdirSync(tokens);
  writeFileSync(join(tokens, 'current'), 'the-token-of-this-month');
  const settings: DaemonSettings = {
    config: {
      log: { level: 'info' },
      webhooks: { host: '127.0.0.1', port: 0, routes: { falco: { tokenFiles: [tokens] } } },
    },
  };
  try {
    await fault.prepare?.(place);
    const daemon = await stage.daemonProcess(home, settings, proxy.url);
    await putReport(stage, report(team));
    await sleep(4_000);
    await fault.meanwhile?.(place, daemon);
    await sleep(4_000);
    await show(home, daemon);
    await stage.end(daemon);
  } finally {
    await fault.undo?.(place);
    await removeReports(stage, team);
    await proxy.close();
  }
}

/** What an operator would look at. */
async function show({ namespace }: Home, daemon: DaemonProcess): Promise<void> {
  const { folder } = stage.controlPlane;
  const where = [
    '--kubeconfig',
    join(folder, `kubeconfig-${namespace}`),
    '--config',
    join(folder, `config-${namespace}.yaml`),
  ];
  // In a Pod it would find the port by itself.
  const metricsUrl = `http://127.0.0.1:${daemon.port}/metrics`;
  console.log('\n$ kubectl exec deploy/zen-watcher -- zen-watcher doctor');
  console.log(await output('cmd/zen-watcher/main.ts', 'doctor', ...where, '--metrics-url', metricsUrl));
  console.log('$ kubectl logs -l app=zen-watcher --tail=-1');
  for (const line of daemon.lines()) console.log(JSON.stringify(line));
  console.log("\n$ curl -s :8080/metrics | grep '^zen_watcher_' | grep -v -e ' 0$' -e '_bucket{'");
  const { text } = await ask(daemon, '/metrics');
  const shown = (line: string) => /^zen_watcher_/.test(line) && !/ 0$|_bucket\{/.test(line);
  console.log(text.split('\n').filter(shown).join('\n'));
}

function output(program: string, ...args: string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(repositoryRoot, program), ...args],
      { encoding: 'utf8' },
      (_error, stdout, stderr) => resolve(`${stdout}${stderr}`),
    );
  });
}
