/**
 * The image's file system without a container engine: Node, the C libraries that it names and the bundle in a root of their
 * own, read-only, in which a command runs as 1001:1001 with no capability and no way to new privileges. Needs Linux and
 * root, as those who lay out a container do.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { repositoryRoot } from './repository.ts';

/** Where the Dockerfile puts the bundle. */
export const bundleInImage = '/app/dist/zen-watcher.js';

export interface ImageRoot {
  /** To put before a command line, whose first word is the path of Node: the same process becomes the command. */
  readonly wrapper: readonly string[];
  remove(): void;
}

/** Runs as root, in a mount namespace of its own that ends with the process. Its arguments: the root, a folder to show in it. */
const enter = `
set -e
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
root=$1 shown=$2; shift 2
chmod a+x "$shown" "$shown"/*/
find "$shown" -maxdepth 1 -type f -exec chown 1001:1001 {} +
mount --bind "$root" "$root"
mount --bind "$shown" "$root$shown"
mount --rbind /proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -o remount,bind,ro "$root$shown"
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs --bounding-set=-all,+sys_chroot,+setuid,+setgid --inh-caps=-all \\
  chroot --userspec=1001:1001 --groups= "$root" "$@"
`;

/** Lays it out. `shown` is a folder with files for the command (a kubeconfig), at the same path, read-only; they become the user's. */
export function makeImageRoot(shown: string): ImageRoot {
  const root = mkdtempSync(join(tmpdir(), 'zen-watcher-image-'));
  chmodSync(root, 0o755);
  for (const folder of ['app', 'dev', 'proc', 'sys', shown]) mkdirSync(join(root, folder), { recursive: true });
  for (const file of [process.execPath, ...librariesOf(process.execPath)]) {
    mkdirSync(join(root, dirname(file)), { recursive: true });
    copyFileSync(file, join(root, file));
  }
  execFileSync('cp', ['-R', join(repositoryRoot, 'dist'), join(repositoryRoot, 'package.json'), join(root, 'app')]);
  const script = join(root, 'enter');
  writeFileSync(script, enter);
  return {
    wrapper: ['unshare', '--mount', '--propagation=private', 'sh', script, root, shown],
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** The shared libraries and the loader of a program. */
function librariesOf(program: string): string[] {
  const lines = execFileSync('ldd', [program], { encoding: 'utf8' }).split('\n');
  return lines.flatMap((line) => /(\/\S+) \(0x/.exec(line)?.[1] ?? []);
}
