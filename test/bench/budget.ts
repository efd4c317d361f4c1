/**
 * `npm run test:budget`: 100,000 findings against a budget of 5,000 events, on a real API server (F5). Says what became of
 * them, how long it took and what the daemon needed; exits with 1 when a finding is not accounted for.
 *
 *   npm run test:budget -- --reports=100      fewer reports, of 100 findings each
 */
import { parseArgs } from 'node:util';
import { isSummary } from '../../src/pipeline/summary-kind.ts';
import { tallyOf } from '../support/audit-log.ts';
import { ready, scrape } from '../support/daemon.ts';
import { Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';
import { createReport, vulnerabilities, vulnerabilityReport } from '../support/vulnerability-reports.ts';

const { values } = parseArgs({ options: { reports: { type: 'string', default: '1000' } } });
const reportCount = Number(values.reports);
const teamCount = 20;
const shares = { CRITICAL: 1, HIGH: 9, MEDIUM: 30, LOW: 60 } as const;
const budget = 5_000;
const inFlight = 8;
const wanted = reportCount * 100;

const stage = await Stage.start();
try {
  process.exitCode = (await run()) ? 0 : 1;
} finally {
  await stage.stop();
}

async function run(): Promise<boolean> {
  const teams: string[] = [];
  for (let team = 0; team < teamCount; team += 1) teams.push(await stage.namespace('team'));
  const numbers = Array.from({ length: reportCount }, (_, at) => at);
  const work = async () => {
    for (let at = numbers.pop(); at !== undefined; at = numbers.pop()) {
      await createReport(stage, report(teams[at % teamCount] ?? '', at));
    }
  };
  await Promise.all(Array.from({ length: inFlight }, work));
  say(`${wanted} findings in ${reportCount} reports of ${teamCount} namespaces; a budget of ${budget} events`);

  const home = await stage.home('events');
  const isAccounted = await life('first life', home);
  const before = stage.audit.writes(home.namespace).length;
  say(`writes: ${JSON.stringify(tallyOf(stage.audit.writes(home.namespace)))}`);
  const isAgain = await life('restarted', home);
  const written = stage.audit.writes(home.namespace).length - before;
  say(`writes after the restart: ${written}`);
  return isAccounted && isAgain && written === 0;
}

/** One life of the daemon until everything is accounted for; whether it ever is. */
async function life(what: string, home: Awaited<ReturnType<Stage['home']>>): Promise<boolean> {
  const begin = performance.now();
  const daemon = await stage.daemonProcess(home, { config: { budget: { events: budget }, log: { level: 'info' } } });
  await ready(daemon);
  const listedSeconds = (performance.now() - begin) / 1000;
  const end = await until(
    'all findings to be accounted for',
    async () => {
      const now = await scrape(daemon);
      const folded = now.value('zen_watcher_folded_findings');
      const used = now.value('zen_watcher_budget_events');
      if (!now.isQuiet || used > budget || used < Math.min(budget, wanted) - 100) return undefined;
      const events = await stage.events(home.namespace);
      const summaries = events.filter(isSummary);
      const counted = summaries.reduce((sum, { status }) => sum + (status?.count ?? 0), 0);
      const kept = events.length - summaries.length;
      return kept + counted === wanted && counted === folded ? { events, summaries, counted, kept, now } : undefined;
    },
    { limitSeconds: 900, pauseMs: 2_000 },
  );
  const seconds = (performance.now() - begin) / 1000;
  const tally: Record<string, number> = {};
  for (const event of end.events) {
    const word = isSummary(event) ? 'summary' : event.spec.severity;
    tally[word] = (tally[word] ?? 0) + 1;
  }
  const megabytes = Math.round(end.now.value('process_resident_memory_bytes') / 2 ** 20);
  const cpu = end.now.value('process_cpu_seconds_total').toFixed(1);
  say(
    `${what}: ${end.events.length} events (${JSON.stringify(tally)}), ${end.counted} in ${end.summaries.length} summaries`,
  );
  say(`${what}: listed after ${listedSeconds.toFixed(1)} s, at rest after ${seconds.toFixed(1)} s`);
  say(`${what}: ${megabytes} MB, ${cpu} s of CPU, discrepancy ${end.now.value('zen_watcher_books_discrepancy')}`);
  await stage.end(daemon);
  return end.events.length <= budget;
}

function report(namespace: string, at: number) {
  let first = 1;
  const entries = Object.entries(shares).flatMap(([severity, count]) => {
    const some = vulnerabilities(count, first).map((one) => ({ ...one, severity }));
    first += count;
    return some;
  });
  return vulnerabilityReport({ namespace, workload: `app-${at}`, vulnerabilities: entries });
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
