/**
 * What is sent to us: webhook port -> receiver -> reconciler, and back: the end of an intent -> the answer. Loaded only
 * where a route exists, since its framework costs memory (docs/adr/0006).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Config } from './config/schema.ts';
import type { WebhookRoute } from './http/webhook-route.ts';
import { webhookStatuses } from './http/webhook-route.ts';
import type { WebhookServerParts } from './http/webhook-server.ts';
import { startWebhookServer } from './http/webhook-server.ts';
import type { ReceiverParts } from './pipeline/receiver.ts';
import { Receiver } from './pipeline/receiver.ts';
import { Settlements } from './pipeline/settlements.ts';
import { formatsOf } from './sources/intakes.ts';
import type { Source } from './sources/source.ts';
import { acknowledgementOf, webhookPaths } from './sources/webhook-paths.ts';
import type { Logger } from './telemetry/logger.ts';
import type { Metrics } from './telemetry/metrics.ts';
import { createWebhookMetrics } from './telemetry/webhook-metrics.ts';
import { WebhookReporter } from './telemetry/webhook-reporter.ts';

export interface WebhooksParts extends Omit<ReceiverParts, 'settlements'> {
  readonly config: Config['webhooks'];
  /** Those that have a route. */
  readonly sources: readonly Source[];
  readonly metrics: Pick<Metrics, 'registry'>;
  readonly logger: Logger;
  readonly timing?: WebhookServerParts['timing'];
}

/** The webhooks of a running daemon. */
export interface Webhooks {
  readonly port: number;
  /** Whether the source was sent something that was taken in. */
  hasSpoken(source: string): boolean;
  /** An intent for the event came to its end: whoever waits for it may be answered. */
  ended(event: string): void;
  /** Serves a request that came to the port of /metrics; false where it is none of ours. */
  serve(request: IncomingMessage, response: ServerResponse): boolean;
  /** From now on senders are told to come again; what was let in goes on. */
  stopAccepting(): void;
  /** Nothing more is written: answers what still waits and ends every connection. */
  close(): Promise<void>;
}

/** Listens; throws when the port is taken. */
export async function startWebhooks(parts: WebhooksParts): Promise<Webhooks> {
  const { config, sources, clock } = parts;
  const settlements = new Settlements(parts.queue);
  const receiver = new Receiver({ ...parts, settlements });
  // Nothing of theirs is listed: what was sent last is all there is.
  for (const { name, intakes } of sources) if (intakes.length === 0) parts.reconciler.setSettled(name, true);
  const routes = sources.map((source) => routeOf(source, config));
  const endpoints = routes.flatMap(({ paths }) => paths);
  const metrics = createWebhookMetrics(
    parts.metrics.registry,
    { endpoints, statuses: webhookStatuses },
    { bytesInFlight: () => server?.bytesInFlight ?? 0, requestsInFlight: () => server?.requestsInFlight ?? 0 },
  );
  const reporter = new WebhookReporter(parts.logger, clock);
  const spoken = new Set<string>();
  const server = await startWebhookServer({
    ...config,
    routes,
    clock,
    timing: parts.timing,
    async receive(delivery) {
      const receipt = await receiver.receive(delivery);
      if (receipt.documents > receipt.unusable) spoken.add(delivery.source);
      return receipt;
    },
    observer: {
      handled(request) {
        metrics.handled(request);
        reporter.handled(request);
      },
      connectionRefused() {
        metrics.connectionRefused();
        reporter.connectionRefused(config.maxConnections);
      },
      tokensChanged: (source, state, files) => reporter.tokensChanged(source, state, files),
      certificateChanged: (problem) => reporter.certificateChanged(problem),
      failed: (error) => reporter.failed(error),
    },
  });
  parts.logger.info('webhooks are served', {
    port: server.port,
    paths: endpoints.join(','),
    tls: config.tls !== undefined,
  });
  return {
    port: server.port,
    hasSpoken: (source) => spoken.has(source),
    ended: (event) => settlements.ended(event),
    serve: (request, response) => config.legacyPort && server.serve(request, response),
    stopAccepting: () => server.stopAccepting(),
    async close() {
      settlements.giveUp();
      await server.close();
    },
  };
}

function routeOf(source: Source, { routes }: Config['webhooks']): WebhookRoute {
  const { open = false, tokenFiles = [], mtls, maxInFlight = 256 } = routes[source.name] ?? {};
  return {
    source: source.name,
    paths: webhookPaths(source),
    formats: formatsOf(source),
    acknowledge: acknowledgementOf(source),
    open,
    tokenFiles,
    clientNames: mtls?.subjects ?? [],
    maxInFlight,
  };
}
