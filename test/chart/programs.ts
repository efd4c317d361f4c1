/** Programs that others wrote and the chart is tested with: helm, and scanners of rendered manifests; built once, cached. */
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '../cluster/binaries.ts';
import { ensureBuilt, type Log, type Program } from '../cluster/build.ts';

/** The path of helm: the one on PATH where that is of version 4, else built from helm/go.mod. */
export async function ensureHelm(log: Log): Promise<string> {
  const found = await promisify(execFile)('helm', ['version', '--short']).catch(() => undefined);
  if (found?.stdout.startsWith('v4.')) return 'helm';
  const folder = await built('helm', [{ name: 'helm', package: 'helm.sh/helm/v4/cmd/helm' }], log);
  return join(folder, 'helm');
}

/** The paths of kubeconform (schemas) and kube-score (good practice), built from scanners/go.mod. */
export async function ensureScanners(log: Log): Promise<{ readonly kubeconform: string; readonly kubeScore: string }> {
  const programs = [
    { name: 'kubeconform', package: 'github.com/yannh/kubeconform/cmd/kubeconform' },
    { name: 'kube-score', package: 'github.com/zegl/kube-score/cmd/kube-score' },
  ];
  const folder = await built('scanners', programs, log);
  return { kubeconform: join(folder, 'kubeconform'), kubeScore: join(folder, 'kube-score') };
}

const checkovVersion = '3.2.500';

/** The path of Checkov from PyPI, in an environment of its own in the cache; undefined where it cannot be installed. */
export function ensureCheckov(log: Log): string | undefined {
  const environment = join(cacheFolder(), 'chart', `checkov-${checkovVersion}`);
  const program = join(environment, 'bin', 'checkov');
  if (existsSync(program)) return program;
  log(`installing checkov ${checkovVersion}`);
  mkdirSync(join(environment, '..'), { recursive: true });
  const made = spawnSync('python3', ['-m', 'venv', environment], { stdio: 'inherit' });
  const flags = ['install', '--quiet', `checkov==${checkovVersion}`];
  const installed = spawnSync(join(environment, 'bin', 'pip'), flags, { stdio: 'inherit' });
  return made.status === 0 && installed.status === 0 ? program : undefined;
}

async function built(module: string, programs: readonly Program[], log: Log): Promise<string> {
  const moduleFolder = join(import.meta.dirname, module);
  const [goMod = '', goSum = ''] = ['go.mod', 'go.sum'].map((name) => readFileSync(join(moduleFolder, name), 'utf8'));
  const hash = createHash('sha256').update(goMod).update('\0').update(goSum).digest('hex').slice(0, 10);
  const folder = join(cacheFolder(), 'chart', `${module}-${process.platform}-${process.arch}-${hash}`);
  await ensureBuilt({
    moduleFolder,
    programs,
    folder,
    goVersion: /^go (\S+)$/m.exec(goMod)?.[1] ?? '1.26.0',
    linkerFlags: '-s -w',
    expectation: 'the first build takes about 4 minutes on 2 cores; cached afterwards',
    alternative: module === 'helm' ? 'Instead of building, helm 4 may be on PATH.' : 'Nothing else needs them.',
    log,
  });
  return folder;
}
