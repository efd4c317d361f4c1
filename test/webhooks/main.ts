/**
 * `npm run test:webhooks [-- --alerts=10000 --seconds=60 --connections=10000 --only=PART]`: what webhooks must
 * withstand, in full, on a real control plane (test/support/webhook-runs.ts). Prints its figures; exit code 1 when anything that was answered is missing.
 */
import { parseArgs } from 'node:util';
import { ensureBinaries } from '../cluster/binaries.ts';
import { auditUnderTraffic } from '../support/audit-traffic.ts';
import { Stage } from '../support/stage.ts';
import { crowd } from '../support/webhook-crowd.ts';
import type { Tell } from '../support/webhook-runs.ts';
import { burst, drainBeyondBudget, endUnderLoad, outage } from '../support/webhook-runs.ts';

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
let look = () => '';
const tell: Tell = (now) => {
  look = now;
};
const runs: Readonly<Record<string, () => Promise<object>>> = {
  'all on the server': () => burst(stage, { identical: alerts, different: alerts, events: 1_000_000 }, cleanUp, tell),
  'folded by the budget': () => burst(stage, { identical: 100, different: alerts, events: 1_000 }, cleanUp, tell),
  [`API server away for ${seconds} s from the middle of each burst`]: () =>
    burst(stage, { identical: alerts, different: alerts, events: 1_000_000, awaySeconds: seconds }, cleanUp, tell),
  [`API server away for ${seconds} s under load`]: () => outage(stage, { seconds, senders: 50 }, cleanUp, tell),
  'SIGTERM beyond the write budget': () => drainBeyondBudget(stage, { alerts: 3_000, perSecond: 50 }, cleanUp),
  'SIGTERM under load': () => endUnderLoad(stage, 'SIGTERM', { senders: 32, alerts: 2_000 }, cleanUp, tell),
  'SIGKILL under load': () => endUnderLoad(stage, 'SIGKILL', { senders: 32, alerts: 2_000 }, cleanUp, tell),
  [`audit log under traffic for ${seconds} s`]: () =>
    auditUnderTraffic({ seconds, connections: 12, matters: seconds }, cleanUp, tell),
  [`${connections} connections`]: () => crowd(stage, { connections }, cleanUp, tell),
};
const parts = Object.entries(runs).filter(([name]) => name.includes(values.only ?? ''));
const begin = Date.now();
const minutes = () => `${((Date.now() - begin) / 60_000).toFixed(1)} min`;
try {
  if (parts.length === 0) throw new Error(`no part is called ${values.only}: ${Object.keys(runs).join(', ')}`);
  for (const [index, [name, run]] of parts.entries()) {
    say(`${minutes()}: ${index + 1} of ${parts.length}, ${name}`);
    look = () => '';
    const progress = setInterval(() => say(`${minutes()}:   ${look()}`), 15_000);
    const figures = await run().finally(() => clearInterval(progress));
    process.stdout.write(`${JSON.stringify({ run: name, ...figures })}\n`);
  }
  say(`${minutes()}: done`);
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
