/** What a daemon is at one moment, by its own metrics and by the kernel. */
import { readdirSync, readlinkSync } from 'node:fs';
import type { DaemonProcess } from '../support/daemon.ts';
import { scrape } from '../support/daemon.ts';

export interface Sample {
  readonly seconds: number;
  readonly rssMB: number;
  readonly heapMB: number;
  readonly externalMB: number;
  readonly fds: number;
  readonly sockets: number;
  readonly handles: number;
  readonly lagP99Ms: number;
  readonly cpuSeconds: number;
  readonly knownEvents: number;
  readonly reports: number;
  readonly queue: number;
  readonly series: number;
  readonly discrepancy: number;
  /** What was interrupted at that moment. */
  readonly during: string;
}

/** Takes one; `during` is what is going on. */
export async function sample(daemon: DaemonProcess, beginMs: number, during: string): Promise<Sample> {
  const now = await scrape(daemon);
  const value = (name: string) => now.value(name);
  const megabytes = (name: string) => value(name) / 1e6;
  return {
    seconds: Math.round((Date.now() - beginMs) / 1000),
    rssMB: megabytes('process_resident_memory_bytes'),
    heapMB: megabytes('nodejs_heap_size_used_bytes'),
    externalMB: megabytes('nodejs_external_memory_bytes'),
    ...descriptors(daemon.pid),
    handles: value('nodejs_active_handles_total'),
    lagP99Ms: value('nodejs_eventloop_lag_p99_seconds') * 1000,
    cpuSeconds: value('process_cpu_seconds_total'),
    knownEvents: value('zen_watcher_known_events'),
    reports: value('zen_watcher_reports'),
    queue: value('zen_watcher_queue_items'),
    series: now.samples.length,
    discrepancy: value('zen_watcher_books_discrepancy'),
    during,
  };
}

function descriptors(pid: number): { readonly fds: number; readonly sockets: number } {
  const folder = `/proc/${pid}/fd`;
  const targets = readdirSync(folder).map((fd) => {
    try {
      return readlinkSync(`${folder}/${fd}`);
    } catch {
      return '';
    }
  });
  return { fds: targets.length, sockets: targets.filter((target) => target.startsWith('socket:')).length };
}
