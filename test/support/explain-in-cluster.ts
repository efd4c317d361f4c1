/** `zen-watcher explain` as a process, with the admin's kubeconfig of a stage. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from './repository.ts';
import type { Stage } from './stage.ts';

export interface ExplainResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs it. The value of --config is the text of the file. */
export function explainInCluster({ controlPlane }: Stage, args: readonly string[]): Promise<ExplainResult> {
  const config = join(controlPlane.folder, 'explain-config.yaml');
  const at = args.indexOf('--config') + 1;
  if (at > 0) writeFileSync(config, args[at] ?? '');
  const given = args.map((arg, index) => (index === at && at > 0 ? config : arg));
  const main = join(repositoryRoot, 'cmd/zen-watcher/main.ts');
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [main, 'explain', '--kubeconfig', controlPlane.kubeconfigPath, ...given],
      { env: {} },
      (error, stdout, stderr) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr }),
    );
  });
}
