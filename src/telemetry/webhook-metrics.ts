/** Metrics of the webhook port. Paths without their tokens, and only those that exist: a closed set. */
import type { Registry } from 'prom-client';
import { Counter, Gauge, Histogram } from 'prom-client';

/** What is read at each scrape. */
export interface WebhookGauges {
  bytesInFlight(): number;
  requestsInFlight(): number;
}

/** A request that came to its end. */
export interface HandledRequest {
  readonly endpoint: string | undefined;
  readonly status: number;
  readonly bytes: number;
  readonly seconds: number;
}

/** Counts what the webhook port tells. */
export interface WebhookMetrics {
  handled(request: HandledRequest): void;
  connectionRefused(): void;
}

/** Stands for every path that is none. */
const noEndpoint = 'none';
/** Requests of which nothing was taken in: F6 counts them apart from the books. */
const refusals = [401, 413, 429, 503];

/** Makes and registers them. `endpoints`: the paths; `statuses`: everything that can be answered. */
export function createWebhookMetrics(
  registry: Registry,
  { endpoints, statuses }: { readonly endpoints: readonly string[]; readonly statuses: readonly number[] },
  gauges: WebhookGauges,
): WebhookMetrics {
  const registers = [registry];
  const requests = new Counter({
    name: 'zen_watcher_webhook_requests_total',
    help: 'Requests to webhooks, by path and status (408: not sent in time, 499: given up by the client).',
    labelNames: ['endpoint', 'status'],
    registers,
  });
  const refused = new Counter({
    name: 'zen_watcher_webhook_refused_total',
    help: 'Requests of which nothing was taken in, by status.',
    labelNames: ['status'],
    registers,
  });
  const bytes = new Counter({
    name: 'zen_watcher_webhook_bytes_total',
    help: 'Bytes of the bodies that were read whole, unpacked.',
    labelNames: ['endpoint'],
    registers,
  });
  const duration = new Histogram({
    name: 'zen_watcher_webhook_duration_seconds',
    help: 'From the headers of a request to its answer.',
    labelNames: ['endpoint'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  });
  const dropped = new Counter({
    name: 'zen_watcher_webhook_connections_refused_total',
    help: 'Connections closed because there were too many.',
    registers,
  });
  new Gauge({
    name: 'zen_watcher_webhook_bytes_in_flight',
    help: 'Bytes of bodies that are being read or wait to be taken in.',
    registers,
    collect() {
      this.set(gauges.bytesInFlight());
    },
  });
  new Gauge({
    name: 'zen_watcher_webhook_requests_in_flight',
    help: 'Requests that are not answered yet.',
    registers,
    collect() {
      this.set(gauges.requestsInFlight());
    },
  });
  for (const endpoint of endpoints) {
    for (const status of statuses) requests.inc({ endpoint, status: String(status) }, 0);
    bytes.inc({ endpoint }, 0);
  }
  for (const status of [400, 404, 408, 431, 499]) requests.inc({ endpoint: noEndpoint, status: String(status) }, 0);
  for (const status of refusals) refused.inc({ status: String(status) }, 0);
  return {
    handled({ endpoint = noEndpoint, status, bytes: size, seconds }) {
      requests.inc({ endpoint, status: String(status) });
      if (refusals.includes(status)) refused.inc({ status: String(status) });
      if (endpoint === noEndpoint) return;
      bytes.inc({ endpoint }, size);
      duration.observe({ endpoint }, seconds);
    },
    connectionRefused: () => dropped.inc(),
  };
}
