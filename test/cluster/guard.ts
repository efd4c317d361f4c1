/**
 * Ends the components when the process that started them is gone, however it went: no handler runs on SIGKILL.
 *
 * The guard is a shell that reads from a pipe whose other end only we hold. The kernel closes that end when we die;
 * the shell then kills every process whose pid is in the folder and whose command line names the folder.
 */
import { spawn } from 'node:child_process';

const script = `
folder=$1 keep=$2
cat >/dev/null
command_line() { if [ -d /proc/self ]; then tr '\\0' ' ' <"/proc/$1/cmdline"; else ps -ww -o args= -p "$1"; fi; }
for file in "$folder"/*.pid; do
  pid=$(cat "$file") || continue
  case $(command_line "$pid") in *"$folder"*) kill -9 "$pid" ;; esac
done
[ "$keep" = keep ] || rm -rf "$folder"
`;

export interface Guard {
  /** Lets the guard go without ending anything. */
  readonly dismiss: () => void;
}

/** Starts the guard of a control plane's folder; it removes the folder too unless that is to be kept. */
export function startGuard(folder: string, isKept: boolean): Guard {
  const args = ['-c', script, 'zen-watcher-guard', folder, isKept ? 'keep' : 'remove'];
  // Its own process group: a Ctrl-C meant for us must not take the guard away.
  const guard = spawn('/bin/sh', args, { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  guard.unref();
  (guard.stdin as unknown as { unref(): void }).unref();
  return { dismiss: () => void guard.kill('SIGKILL') };
}
