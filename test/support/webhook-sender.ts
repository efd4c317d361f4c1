/** Senders of webhooks as the tools are: Falco's one request after the other, kube-apiserver's batches that come again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';

/** An alert of Falco about one rule; the same rule is the same finding. */
export function alert(rule: string): Readonly<Record<string, unknown>> {
  return {
    output: `${rule} (k8s_ns=shop k8s_pod=web-7d9c8b6f5d-x2x4z)`,
    priority: 'Warning',
    rule,
    time: new Date().toISOString(),
    source: 'syscall',
    hostname: 'node-a',
    output_fields: { 'k8s.ns.name': 'shop', 'k8s.pod.name': 'web-7d9c8b6f5d-x2x4z', 'proc.name': 'sh' },
  };
}

/** That a namespace was deleted, as the audit log tells it. */
export function deletion(namespace: string, auditId: string): Readonly<Record<string, unknown>> {
  const time = new Date().toISOString();
  return {
    level: 'Metadata',
    auditID: auditId,
    stage: 'ResponseComplete',
    requestURI: `/api/v1/namespaces/${namespace}`,
    verb: 'delete',
    user: { username: 'alice@example.com', groups: ['system:authenticated'] },
    sourceIPs: ['192.0.2.7'],
    userAgent: 'kubectl/v1.36.3',
    objectRef: { resource: 'namespaces', name: namespace, apiVersion: 'v1' },
    responseStatus: { metadata: {}, code: 200 },
    requestReceivedTimestamp: time,
    stageTimestamp: time,
    annotations: { 'authorization.k8s.io/decision': 'allow' },
  };
}

/** Events as kube-apiserver sends them. */
export function eventList(items: readonly unknown[]): unknown {
  return { kind: 'EventList', apiVersion: 'audit.k8s.io/v1', metadata: {}, items };
}

/** What came back of requests: the status, or 0 where there was no answer. */
export class WebhookSender {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #agent: Agent;
  /** How often each status came. */
  readonly statuses: Record<number, number> = {};
  /** Milliseconds from request to answer. */
  readonly latencies: number[] = [];

  constructor(port: number, path: string, { token, connections = 1 }: { token?: string; connections?: number } = {}) {
    this.#url = `http://127.0.0.1:${port}${path}`;
    this.#headers = {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    this.#agent = new Agent({ connections, pipelining: 1, allowH2: false, headersTimeout: 120_000 });
  }

  /** The status of the answer; 0 where there was none. */
  async send(body: unknown): Promise<number> {
    const sentAt = performance.now();
    let status = 0;
    try {
      const answer = await request(this.#url, {
        dispatcher: this.#agent,
        method: 'POST',
        headers: this.#headers,
        body: typeof body === 'string' ? body : JSON.stringify(body),
      });
      status = answer.statusCode;
      await answer.body.text();
    } catch {
      // Nobody is there, or the connection ended before the answer.
    }
    this.latencies.push(performance.now() - sentAt);
    this.statuses[status] = (this.statuses[status] ?? 0) + 1;
    return status;
  }

  /** Sends all, so many at a time; gives the statuses in the order of the bodies. */
  async sendAll(bodies: readonly unknown[], atOnce = 1): Promise<number[]> {
    const statuses: number[] = new Array(bodies.length).fill(0);
    let next = 0;
    const worker = async () => {
      while (next < bodies.length) {
        const index = next;
        next += 1;
        statuses[index] = await this.send(bodies[index]);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    return statuses;
  }

  /** As kube-apiserver: again and again until it is taken. Gives how often it was sent. */
  async sendUntilTaken(body: unknown, pauseMs: number): Promise<number> {
    for (let sent = 1; ; sent += 1) {
      if ((await this.send(body)) === 200) return sent;
      if (this.#agent.destroyed) throw new Error('the sender was closed');
      await sleep(pauseMs);
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}
