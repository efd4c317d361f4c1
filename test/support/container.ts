/** What the chart's container is to the daemon: so much memory and so much CPU, by cgroups where the machine lets us. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Container {
  /** To put before a command line: the process goes into the container and becomes the command. */
  readonly wrapper: readonly string[];
  readonly nodeOptions: string;
  /** In words. */
  readonly limits: string;
  /** The most that it ever held, where the kernel counts it. */
  peakBytes(): number | undefined;
  remove(): void;
}

/** Of the container's memory: heapPercent of the chart. */
const heapPercent = 60;
const root = '/sys/fs/cgroup';
const periodMicroseconds = 100_000;

/** A container with the limits of the chart, or others. Without cgroups (v1, as root) only the heap is limited, which `limits` says. */
export function makeContainer(
  name: string,
  { memoryMiB = 256, cpuMillis = 200 }: { memoryMiB?: number; cpuMillis?: number | null } = {},
): Container {
  const unique = `${name}-${process.pid}`;
  const memory = folderOf('memory', unique);
  const cpu = folderOf('cpu', unique);
  const isMade = (folder: string | undefined, file: string, value: number | null) => {
    if (folder === undefined || value === null) return false;
    try {
      mkdirSync(folder);
      writeFileSync(join(folder, file), String(value));
      return true;
    } catch {
      return false;
    }
  };
  const hasMemory = isMade(memory, 'memory.limit_in_bytes', memoryMiB * 2 ** 20);
  const hasCpu = isMade(cpu, 'cpu.cfs_quota_us', cpuMillis === null ? null : (cpuMillis * periodMicroseconds) / 1000);
  const folders = [hasMemory ? memory : undefined, hasCpu ? cpu : undefined].filter((one) => one !== undefined);
  const enter = folders.map((folder) => `echo $$ > '${folder}/cgroup.procs' && `).join('');
  return {
    wrapper: folders.length === 0 ? [] : ['/bin/sh', '-c', `${enter}exec "$@"`, 'sh'],
    nodeOptions: hasMemory
      ? `--max-old-space-size-percentage=${heapPercent}`
      : `--max-old-space-size=${Math.floor((memoryMiB * heapPercent) / 100)}`,
    limits: `memory ${hasMemory ? `${memoryMiB} MiB by a cgroup` : 'not limited here but for the heap'}, CPU ${hasCpu ? `${cpuMillis}m` : 'not limited here'}`,
    peakBytes: () =>
      hasMemory ? Number(readFileSync(join(memory as string, 'memory.max_usage_in_bytes'), 'utf8')) : undefined,
    remove() {
      for (const folder of folders) rmdirSync(folder);
    },
  };
}

/** Beside our own group, so that a limit of that one holds too. */
function folderOf(controller: string, name: string): string | undefined {
  if (!existsSync('/proc/self/cgroup')) return undefined;
  const lines = readFileSync('/proc/self/cgroup', 'utf8').split('\n');
  const own = lines.find((line) => line.split(':')[1]?.split(',').includes(controller))?.split(':')[2];
  const parent = own === undefined ? undefined : join(root, controller, own);
  return parent !== undefined && existsSync(parent) ? join(parent, name) : undefined;
}
