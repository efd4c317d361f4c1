/**
 * `npm run demo`: zen-watcher at work on a real API server. The control plane, the daemon, kubectl and the reports are
 * real; only what the reports say is invented. What happens is told on stderr; stdout has what kubectl prints.
 */
import { dirname } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { messageOf } from '../../src/lib/error-message.ts';
import { DaemonProcess } from './daemon-process.ts';
import { type DemoCluster, definitions, furnish, openEmbedded } from './demo-cluster.ts';
import { EventWatch } from './event-watch.ts';
import { createNarrator } from './narrator.ts';
import { openOwn } from './own-cluster.ts';
import { finish, type PerformanceParts, play } from './performance.ts';
import { finalRows, life, story } from './story.ts';

const usage = `usage: npm run demo -- [--exit] [--kubeconfig FILE [--context NAME] [--yes]]
  --exit             end after the story, with the table; exit code 1 when something did not come as it must
  --kubeconfig FILE  use this cluster instead of starting one; says what it would create and asks first
  --context NAME     a context of that file
  --yes              answer yes to the questions
`;
const lifeSeconds = 10;
/** An hour; then it stays as it is until Ctrl-C. */
const lifeScenes = 360;

const narrator = createNarrator(process.stderr, process.stderr.isTTY === true && !process.env['NO_COLOR']);
const interruption = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    if (interruption.signal.aborted) return;
    narrator.progress('\nending the demo');
    interruption.abort();
  });
}
const { signal } = interruption;

process.exitCode = await main();

async function main(): Promise<number> {
  let flags: Flags;
  try {
    flags = parse();
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n${usage}`);
    return 2;
  }
  if (flags.help) {
    process.stdout.write(usage);
    return 0;
  }
  try {
    await demo(flags);
    return 0;
  } catch (error) {
    // Ctrl-C is how the interactive demo ends; one that was to end by itself has not done what it was asked for.
    if (signal.aborted) return flags.exit ? 130 : 0;
    for (let cause = error; cause instanceof Error; cause = cause.cause) narrator.step(cause.message);
    return 1;
  }
}

async function demo(flags: Flags): Promise<void> {
  const ends: (() => Promise<void>)[] = [];
  try {
    const cluster = await open(flags);
    if (cluster === undefined) return narrator.note('nothing was changed');
    ends.unshift(() => cluster.close());
    signal.throwIfAborted();
    narrator.step('Starting zen-watcher, and kubectl to watch its events');
    const daemon = new DaemonProcess(cluster, narrator);
    ends.unshift(() => daemon.end());
    await daemon.ready(signal);
    narrator.progress(`  $ kubectl get zenevents -n ${cluster.eventsNamespace} --watch`);
    const watch = new EventWatch(cluster, (line) => void process.stdout.write(`${line}\n`));
    ends.unshift(() => watch.end());
    const parts: PerformanceParts = { cluster, daemon, watch, narrator, signal };
    for (const scene of story) await play(scene, parts);
    if (flags.exit) await finish(finalRows, parts);
    else await live(parts);
  } finally {
    for (const end of ends) await end();
  }
}

async function open(flags: Flags): Promise<DemoCluster | undefined> {
  if (flags.kubeconfig !== undefined) {
    return openOwn({ kubeconfig: flags.kubeconfig, context: flags.context, narrator, confirm: confirming(flags) });
  }
  narrator.step('Starting a Kubernetes control plane on this machine (real, on loopback, without nodes)');
  const cluster = await openEmbedded(narrator);
  try {
    const { target, eventsNamespace, namespaces } = cluster;
    await furnish(target, [eventsNamespace, ...Object.values(namespaces)], definitions);
    return cluster;
  } catch (error) {
    await cluster.close();
    throw error;
  }
}

/** Something changes every few seconds. */
async function live(parts: PerformanceParts): Promise<void> {
  const { cluster, daemon } = parts;
  const { kubeconfigPath, binaries } = cluster.target;
  narrator.step(`That was the story. Until Ctrl-C something changes every ${lifeSeconds} s; in another terminal:`);
  const folder = dirname(binaries.kubectl);
  narrator.note(`export KUBECONFIG=${kubeconfigPath}${folder === '.' ? '' : ` PATH="${folder}:$PATH"`}`);
  narrator.note(`kubectl get zenevents -n ${cluster.eventsNamespace} -o wide`);
  narrator.note(`curl ${daemon.url}/metrics`);
  for (let round = 0; round < lifeScenes; round += 1) {
    await sleep(lifeSeconds * 1000, undefined, { signal });
    const scene = life[round % life.length];
    if (scene !== undefined) await play(scene, parts);
  }
  narrator.step('Nothing changes any more; Ctrl-C ends the demo.');
  await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
}

/** Asks on the terminal; without one it takes --yes, or nothing is done. */
function confirming(flags: Flags): (question: string, isYesByDefault: boolean) => Promise<boolean> {
  return async (question, isYesByDefault) => {
    if (flags.yes) return true;
    if (!process.stdin.isTTY) {
      // Only before anything was created: with no terminal it never gets further.
      throw new Error('there is no terminal to ask on: say --yes to go on without being asked');
    }
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    const interrupted = new Promise<string>((resolve) => terminal.once('SIGINT', () => resolve('n')));
    const answer = await Promise.race([
      terminal.question(`${question} ${isYesByDefault ? '[Y/n]' : '[y/N]'} `),
      interrupted,
    ]);
    terminal.close();
    return answer.trim() === '' ? isYesByDefault : /^y(es)?$/i.test(answer.trim());
  };
}

type Flags = ReturnType<typeof parse>;

function parse() {
  const { values } = parseArgs({
    options: {
      exit: { type: 'boolean', default: false },
      kubeconfig: { type: 'string' },
      context: { type: 'string' },
      yes: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.kubeconfig === undefined && (values.context !== undefined || values.yes)) {
    throw new Error('--context and --yes belong to --kubeconfig');
  }
  return values;
}
