/**
 * `npm run test:webhooks [-- --alerts=10000 --seconds=60 --connections=10000 --only=PART]`: what webhooks must withstand, in full, on a
 * real control plane (test/support/webhook-runs.ts). Prints its figures; exit code 1 when anything that was answered is missing.
 */
import { parseArgs } from 'node:util';
import { ensureBinaries } from '../cluster/binaries.ts';
import { auditUnderTraffic } from '../support/audit-traffic.ts';
import { Stage } from '../support/stage.ts';
import { crowd } from '../support/webhook-crowd.ts';
import { burst, endUnderLoad, outage } from '../support/webhook-runs.ts';

const say = (line: string) => process.stderr.write(`${line}\n`);
const { values } = parseArgs({
  options: {
    alerts: { type: 'string' },
    seconds: { type: 'string' },
    connections: { type: 'string' },
    only: { type: 'string' },
  },
});
const alerts = wholeNumber('alerts', values.alerts ?? '10000');
const seconds = wholeNumber('seconds', values.seconds ?? '60');
const connections = wholeNumber('connections', values.connections ?? '10000');

await ensureBinaries({ log: say });
const stage = await Stage.start({ crds: 'events' });
const ends: (() => Promise<void>)[] = [];
const cleanUp = (end: () => Promise<void>) => void ends.push(end);
const runs: Readonly<Record<string, () => Promise<unknown>>> = {
  'all on the server': () => burst(stage, { identical: alerts, different: alerts, events: 1_000_000 }, cleanUp),
  'folded by the budget': () => burst(stage, { identical: 100, different: alerts, events: 1_000 }, cleanUp),
  [`API server away for ${seconds} s`]: () => outage(stage, { seconds, senders: 50 }, cleanUp),
  'SIGTERM under load': () => endUnderLoad(stage, 'SIGTERM', { senders: 32, alerts: 2_000 }, cleanUp),
  'SIGKILL under load': () => endUnderLoad(stage, 'SIGKILL', { senders: 32, alerts: 2_000 }, cleanUp),
  [`audit log under traffic for ${seconds} s`]: () =>
    auditUnderTraffic({ seconds, connections: 12, matters: seconds }, cleanUp),
  [`${connections} connections`]: () => crowd(stage, { connections }, cleanUp),
};
try {
  for (const [name, run] of Object.entries(runs)) {
    if (!name.includes(values.only ?? '')) continue;
    say(`running: ${name}`);
    process.stdout.write(`${JSON.stringify({ run: name, ...((await run()) as object) })}\n`);
  }
} catch (error) {
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exitCode = 1;
} finally {
  for (const end of ends) await end();
  await stage.stop();
}

function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number > 0) return number;
  say(`--${name} takes a whole number above 0, not ${text}`);
  process.exit(2);
}
