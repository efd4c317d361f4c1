/** `npm run cluster -- up|down|status|bin`: a control plane to play with. What a shell can use goes to stdout, words to stderr. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, ensureBinaries } from './binaries.ts';
import { ControlPlane, startControlPlane } from './control-plane.ts';
import { withLock } from './lock.ts';
import { type ControlPlaneState, components } from './state.ts';

const usage = `usage: npm run --silent cluster -- up|down|status|bin
  up      start a control plane and print the command that points kubectl at it:
          eval "$(npm run --silent cluster -- up)"
  down    stop it and remove its data
  status  say what runs; exit code 1 when nothing or not everything does
  bin     print the folder of the programs (etcd, kube-apiserver, kubectl and so on), building them if needed
`;

const commands: Record<string, () => Promise<number>> = { up, down, status, bin };
const [word = '', ...rest] = process.argv.slice(2);
const command = rest.length === 0 && Object.hasOwn(commands, word) ? commands[word] : undefined;
if (command) {
  process.exitCode = await command().catch((error: unknown) => {
    for (let cause = error; cause instanceof Error; cause = cause.cause) say(cause.message);
    return 1;
  });
} else {
  process.stderr.write(usage);
  process.exitCode = 2;
}

async function up(): Promise<number> {
  const controlPlane = await alone(running);
  print(`export KUBECONFIG=${quote(controlPlane.kubeconfigPath)}`);
  return 0;
}

/** The control plane that runs already, complete again if a part of it died, or a new one. */
async function running(): Promise<ControlPlane> {
  const existing = load();
  if (existing && Object.keys(existing.pids).length > 0) {
    say(`runs already at ${existing.server}`);
    await existing.start();
    return existing;
  }
  // After a restart of the machine the data is still there, but the ports may be somebody else's.
  rmSync(dataFolder(), { recursive: true, force: true });
  const controlPlane = await startControlPlane({ folder: dataFolder(), detached: true, log: say });
  writeFileSync(statePath(), JSON.stringify(controlPlane.state), { mode: 0o600 });
  say(`logs and data are in ${controlPlane.folder}; \`npm run cluster -- down\` ends it`);
  return controlPlane;
}

async function down(): Promise<number> {
  const controlPlane = await alone(async () => {
    const existing = load();
    await existing?.stop();
    rmSync(dataFolder(), { recursive: true, force: true });
    return existing;
  });
  say(controlPlane ? 'stopped' : 'nothing runs');
  return 0;
}

async function status(): Promise<number> {
  const controlPlane = load();
  if (!controlPlane) {
    say('nothing runs');
    return 1;
  }
  const wanted = components.filter((component) => controlPlane.state.commands[component]);
  const { pids } = controlPlane;
  for (const component of wanted) print(`${component}: ${pids[component] ? `pid ${pids[component]}` : 'not running'}`);
  print(`server: ${controlPlane.server}`);
  print(`kubeconfig: ${controlPlane.kubeconfigPath}`);
  return wanted.every((component) => pids[component] !== undefined) ? 0 : 1;
}

async function bin(): Promise<number> {
  const { folder } = await ensureBinaries({ log: say });
  print(folder);
  return 0;
}

/** Starting and stopping wait for each other. */
function alone<T>(work: () => Promise<T>): Promise<T> {
  mkdirSync(cacheFolder(), { recursive: true });
  const onWait = (pid: number) => say(`process ${pid} is starting or stopping the control plane; waiting for it`);
  return withLock(`${dataFolder()}.lock`, onWait, work);
}

function load(): ControlPlane | undefined {
  try {
    return new ControlPlane(JSON.parse(readFileSync(statePath(), 'utf8')) as ControlPlaneState);
  } catch {
    return undefined;
  }
}

function dataFolder(): string {
  return join(cacheFolder(), 'cluster');
}

function statePath(): string {
  return join(dataFolder(), 'state.json');
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
