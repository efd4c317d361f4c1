/** Gauges of what is open: Active events by source and severity, and those beyond their due time. */
import type { Registry } from 'prom-client';
import { Gauge } from 'prom-client';
import { severities } from '../api/words.ts';
import type { OpenCount } from '../pipeline/open-events.ts';

/** Registers them. `words`: everything that spec.source can be; events of other sources are `other`. */
export function eventGauges(registry: Registry, words: ReadonlySet<string>, open: () => readonly OpenCount[]): void {
  const registers = [registry];
  const overdue = new Gauge({
    name: 'zen_watcher_overdue_events',
    help: 'Active events, not muted, beyond the due time of their severity (configuration `due`), by severity.',
    labelNames: ['severity'],
    // In no registry yet, least of all the one that all daemons of a process share.
    registers: [],
    // Set with the other one: one pass over the events for both.
    collect() {},
  });
  new Gauge({
    name: 'zen_watcher_active_events',
    help: 'Active events on the server, by source and severity.',
    labelNames: ['source', 'severity'],
    registers,
    collect() {
      this.reset();
      overdue.reset();
      for (const severity of severities) {
        for (const source of words) this.set({ source, severity }, 0);
        overdue.set({ severity }, 0);
      }
      for (const { source, severity, active, overdue: late } of open()) {
        this.inc({ source: words.has(source) ? source : 'other', severity }, active);
        overdue.inc({ severity }, late);
      }
    },
  });
  // After the one that sets it: metrics are rendered in the order of their registration.
  registry.registerMetric(overdue);
}
