/** Metrics of what is watched. */
import type { Registry } from 'prom-client';
import { Gauge } from 'prom-client';

/** What is shown of one watched resource. */
export interface InformerCount {
  readonly resource: string;
  readonly isLive: boolean;
  readonly isForbidden: boolean;
  readonly objects: number;
  /** Since it was live. */
  readonly staleSeconds: number;
}

/** Makes the gauges of informers, read at each scrape. */
export function informerGauges(registers: Registry[], informers: () => readonly InformerCount[]): void {
  const labelNames = ['resource'] as const;
  new Gauge({
    name: 'zen_watcher_informer_live',
    help: '1 while the watch of the resource is up.',
    labelNames,
    registers,
    collect() {
      for (const { resource, isLive } of informers()) this.set({ resource }, isLive ? 1 : 0);
    },
  });
  new Gauge({
    name: 'zen_watcher_informer_forbidden',
    help: '1 while the API server does not allow to list or watch the resource.',
    labelNames,
    registers,
    collect() {
      for (const { resource, isForbidden } of informers()) this.set({ resource }, isForbidden ? 1 : 0);
    },
  });
  new Gauge({
    name: 'zen_watcher_informer_objects',
    help: 'Objects known of the resource.',
    labelNames,
    registers,
    collect() {
      for (const { resource, objects } of informers()) this.set({ resource }, objects);
    },
  });
  new Gauge({
    name: 'zen_watcher_informer_stale_seconds',
    help: 'For how long the resource could not be watched; 0 while live.',
    labelNames,
    registers,
    collect() {
      for (const { resource, staleSeconds } of informers()) this.set({ resource }, staleSeconds);
    },
  });
}
