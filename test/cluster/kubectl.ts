/** kubectl against a control plane. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { ControlPlaneState } from './state.ts';

export interface KubectlResult {
  readonly stdout: string;
  readonly stderr: string;
  /** The exit code; 255 when it was ended by a signal. */
  readonly code: number;
}

export interface KubectlOptions {
  /** For `-f -`. */
  readonly input?: string;
  /** Instead of the admin's token. */
  readonly token?: string;
}

type Target = Pick<ControlPlaneState, 'binaries' | 'folder' | 'kubeconfigPath'>;

/** Runs kubectl to its end; a failure is a code, not an exception. */
export function kubectl(target: Target, args: readonly string[], options: KubectlOptions = {}): Promise<KubectlResult> {
  const flags = [`--kubeconfig=${target.kubeconfigPath}`, `--cache-dir=${join(target.folder, 'kubectl-cache')}`];
  if (options.token) flags.push(`--token=${options.token}`);
  return new Promise((resolve, reject) => {
    const child = spawn(target.binaries.kubectl, [...flags, ...args], { stdio: 'pipe' });
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output.stdout += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      output.stderr += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ ...output, code: code ?? 255 }));
    child.stdin.on('error', () => {}); // It may end before it has read everything; its code tells why.
    child.stdin.end(options.input ?? '');
  });
}

/** Runs kubectl and returns what it printed; a failure is an exception with its words. */
export async function kubectlOutput(
  target: Target,
  args: readonly string[],
  options?: KubectlOptions,
): Promise<string> {
  const { code, stdout, stderr } = await kubectl(target, args, options);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${code}: ${stderr.trim()}`);
  return stdout;
}

/** Applies YAML or JSON documents on the server's side; throws when one is refused. */
export async function apply(target: Target, documents: string): Promise<void> {
  await kubectlOutput(target, ['apply', '--server-side', '--force-conflicts', '-f', '-'], { input: documents });
}
