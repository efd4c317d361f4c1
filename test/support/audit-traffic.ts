/**
 * Matters of security among all the traffic that an API server can bear, told by its own audit webhook. Judged by the server's
 * counters and by the audit log file that it writes beside: each matter is its event and counts as often as the log has it,
 * routine is none, nothing was dropped, and bad items in the batches cost only themselves.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StoredEvent } from '../../src/api/stored-event.ts';
import type { TrafficOrder } from '../webhooks/traffic.ts';
import type { AuditRelay } from './audit-relay.ts';
import { documentedFlags, openAuditStage } from './audit-stage.ts';
import type { TestDaemon } from './daemon.ts';
import { ready, scrape } from './daemon.ts';
import { repositoryRoot } from './repository.ts';
import type { Home, Stage } from './stage.ts';
import { quantile, until } from './until.ts';
import type { CleanUp, Tell } from './webhook-runs.ts';
import { webhookPort, webhooksOnly } from './webhook-runs.ts';

/** The accounts whose reads of Secrets are routine: for `audit.secretReaders` of the daemon. */
export const routineReaders = ['system:serviceaccount:*:operator'];

export interface TrafficSize {
  readonly seconds: number;
  /** Of each of the two clients. */
  readonly connections: number;
  /** How many matters of each kind the administrator makes meanwhile. */
  readonly matters: number;
}

export interface AuditPlace {
  readonly stage: Stage;
  readonly relay: AuditRelay;
  readonly daemon: TestDaemon;
  readonly home: Home;
  /** Sees to it that all that was counted is written. */
  finish(): Promise<void>;
}

interface LogEntry {
  readonly stage: string;
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly objectRef?: { readonly resource: string; readonly namespace?: string; readonly name?: string };
  readonly responseStatus?: { readonly code: number };
}

const rbac = '/apis/rbac.authorization.k8s.io/v1';

/** Has the clients work for a while, and judges what the daemon made of it. */
export async function auditTraffic(place: AuditPlace, size: TrafficSize, cleanUp: CleanUp, tell: Tell = () => {}) {
  const { stage, relay, daemon, home } = place;
  const namespace = await trafficNamespace(stage);
  const clients = await Promise.all([
    client(stage, { namespace, name: 'operator', connections: size.connections, secretPrefix: 'sh.helm.release.v1.' }),
    client(stage, { namespace, name: 'stranger', connections: size.connections, secretPrefix: 'theirs-' }),
  ]);
  cleanUp(async () => void (await Promise.all(clients.map(({ end }) => end()))));
  const [errorsBefore, before] = [await auditErrors(stage), await scrape(daemon)];
  const answeredBefore = relay.answeredMs.length;
  tell(() => `${relay.items} audit events taken in ${relay.answeredMs.length} batches`);
  relay.spoil = true;
  const startedMs = performance.now();
  for (let number = 0; number < size.matters; number += 1) {
    await makeMatters(stage, namespace, number);
    await sleep((size.seconds * 1000) / size.matters);
  }
  const requests = (await Promise.all(clients.map(({ end }) => end()))).flatMap((answers) => Object.values(answers));
  const seconds = (performance.now() - startedMs) / 1000;

  const lines = linesOf(stage);
  const log = entriesOf(lines, namespace);
  const wanted = expected(log);
  await until('all of the log to be sent on', () => relay.items >= lines.length, { limitSeconds: 120 });
  relay.spoil = false;
  assert.deepEqual([await auditErrors(stage), relay.refusals], [errorsBefore, []]);
  const now = await scrape(daemon);
  const rejected =
    now.value('zen_watcher_findings_rejected_total') - before.value('zen_watcher_findings_rejected_total');
  assert.equal(rejected, relay.spoiled, 'a bad item costs itself');
  assert.equal(now.value('zen_watcher_books_discrepancy'), 0);
  await place.finish();
  const events = (await stage.events(home.namespace)).filter((event) => isOfTraffic(event, namespace));
  assert.deepEqual([...asMap(events)].sort(), [...wanted].sort());
  const answered = relay.answeredMs.slice(answeredBefore);
  return {
    seconds: Math.round(seconds),
    requestsPerSecond: Math.round(requests.reduce((sum, count) => sum + count, 0) / seconds),
    auditEvents: log.length,
    batches: answered.length,
    badItems: rejected,
    answerMs: { p50: Math.round(quantile(answered, 0.5)), p99: Math.round(quantile(answered, 0.99)) },
    events: events.length,
    occurrences: total(wanted),
  };
}

/** The same on a control plane of its own with the documented flags, before a daemon in a process of its own. */
export async function auditUnderTraffic(size: TrafficSize, cleanUp: CleanUp, tell: Tell) {
  const audited = await openAuditStage({ apiServerFlags: documentedFlags() });
  cleanUp(() => audited.close());
  const { stage, relay, tokenFile } = audited;
  relay.keepsBodies = false;
  const home = await stage.home('events');
  const webhooks = { host: '127.0.0.1', port: 0, routes: { audit: { tokenFiles: [tokenFile] } } };
  const daemon = await stage.daemonProcess(home, webhooksOnly({ webhooks, audit: { secretReaders: routineReaders } }));
  await ready(daemon);
  relay.sendTo(webhookPort(daemon));
  const finish = async () => assert.equal(await daemon.end('SIGTERM'), 0);
  return auditTraffic({ stage, relay, daemon, home, finish }, size, cleanUp, tell);
}

/** A namespace with what Pods need, and the rights of the clients. */
async function trafficNamespace(stage: Stage): Promise<string> {
  const namespace = await stage.namespace('traffic');
  // Where the controller manager runs, it may be faster.
  await stage.rest.send('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: 'default' } });
  await stage.must(201, 'POST', `${rbac}/namespaces/${namespace}/roles`, {
    metadata: { name: 'traffic' },
    rules: [{ apiGroups: [''], resources: ['configmaps', 'secrets', 'pods'], verbs: ['*'] }],
  });
  return namespace;
}

interface ClientOptions extends Pick<TrafficOrder, 'namespace' | 'connections' | 'secretPrefix'> {
  readonly name: string;
}

/** A client in a process of its own, as a service account that may do what it does. */
async function client(stage: Stage, { name, ...options }: ClientOptions) {
  const { namespace } = options;
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  await stage.must(201, 'POST', accounts, { metadata: { name } });
  await stage.must(201, 'POST', `${rbac}/namespaces/${namespace}/rolebindings`, {
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'traffic' },
    subjects: [{ kind: 'ServiceAccount', name, namespace }],
  });
  const { status } = await stage.must(201, 'POST', `${accounts}/${name}/token`, { spec: { expirationSeconds: 3600 } });
  const { server, caPath } = stage.controlPlane;
  const order: TrafficOrder = { ...options, server, caPath, token: status.token, secrets: 5 };
  const script = join(repositoryRoot, 'test/webhooks/traffic.ts');
  const child = spawn(process.execPath, [script, JSON.stringify(order)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const said = text(child.stdout);
  const ended = new Promise<number | null>((resolve) => void child.once('close', resolve));
  return {
    /** Ends it; gives how often each request was answered with what. */
    async end(): Promise<Record<string, number>> {
      child.stdin.end();
      assert.equal(await ended, 0, `${name} did not work to its end`);
      return JSON.parse(await said) as Record<string, number>;
    },
  };
}

/** What only an administrator does: each is an event of its own. */
async function makeMatters(stage: Stage, namespace: string, number: number): Promise<void> {
  const name = `${namespace}-${number}`;
  const policies = `/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies`;
  await Promise.all([
    stage.must(201, 'POST', `${rbac}/clusterroles`, { metadata: { name }, rules: [] }),
    stage.must(201, 'POST', policies, { metadata: { name }, spec: { podSelector: {} } }),
    stage.must(201, 'POST', `/api/v1/namespaces/${namespace}/pods`, {
      metadata: { name },
      spec: { hostPID: true, containers: [{ name: 'web', image: 'registry.example.org/shop:1' }] },
    }),
  ]);
  await stage.must(200, 'DELETE', `${rbac}/clusterroles/${name}`);
  await stage.must(200, 'DELETE', `${policies}/${name}`);
}

/** The rules that tell of what is done here, in the words of the events: written from docs/sources/audit-rules.md, not from the code. */
function matterOf({ verb, user, objectRef, responseStatus }: LogEntry, namespace: string): string | undefined {
  const { resource = '', name = '' } = objectRef ?? {};
  const isAdmin = user.username === 'admin';
  const [, , , account = ''] = user.username.split(':');
  if ((responseStatus?.code ?? 0) >= 300 || (!isAdmin && account !== 'stranger')) return undefined;
  const isRead = ['get', 'list', 'watch'].includes(verb);
  const who = isAdmin ? 'admin' : user.username;
  switch (resource) {
    case 'secrets':
      return isRead ? `secret-read ${namespace} ${who}` : `secret-write ${verb} ${name} ${who}`;
    case 'clusterroles':
      return `${verb === 'delete' ? 'rbac-deletion' : 'rbac-write'} ${verb} ${name} ${who}`;
    case 'networkpolicies':
      return `network-policy-${verb === 'delete' ? 'deletion' : 'write'} ${verb} ${name} ${who}`;
    case 'pods':
      return isAdmin && verb === 'create' ? `privileged-pod ${name}` : undefined;
    default:
      return undefined;
  }
}

/** The audit log file, which has what the webhook is sent, by the same policy. */
function linesOf(stage: Stage): string[] {
  return readFileSync(stage.controlPlane.auditLogPath ?? '', 'utf8')
    .split('\n')
    .filter(Boolean);
}

/** Requests of the clients, and of the administrator about what is called after the namespace. */
function entriesOf(lines: readonly string[], namespace: string): LogEntry[] {
  const entries = lines.filter((line) => line.includes(namespace)).map((line) => JSON.parse(line) as LogEntry);
  return entries.filter(({ stage: at, user, objectRef }) => {
    if (at !== 'ResponseComplete') return false;
    const isClients = user.username.startsWith(`system:serviceaccount:${namespace}:`);
    return isClients || (user.username === 'admin' && objectRef?.name?.startsWith(`${namespace}-`) === true);
  });
}

/** The events that there must be, with their counts. */
function expected(log: readonly LogEntry[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const entry of log) {
    const matter = matterOf(entry, entry.objectRef?.namespace ?? '');
    if (matter !== undefined) counts.set(matter, (counts.get(matter) ?? 0) + 1);
  }
  return counts;
}

/** The event in the same words. */
function wordsOf({ spec }: StoredEvent): string {
  const { rule, verb, user } = spec.details ?? {};
  const { resource } = spec;
  if (rule === 'secret-read') return `${rule} ${resource?.name} ${user}`;
  if (rule === 'privileged-pod') return `${rule} ${resource?.name}`;
  return `${rule} ${verb} ${resource?.name} ${user}`;
}

function isOfTraffic({ spec }: StoredEvent, namespace: string): boolean {
  const isSetUp = spec.details?.['user'] === 'admin' && spec.resource?.name?.startsWith(`${namespace}-`) !== true;
  return !isSetUp && JSON.stringify([spec.resource, spec.details?.['user']]).includes(namespace);
}

function asMap(events: readonly StoredEvent[]): Map<string, number> {
  return new Map(events.map((event) => [wordsOf(event), event.status?.count ?? 1]));
}

function total(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

/** What the API server counted as lost. */
async function auditErrors(stage: Stage): Promise<number> {
  const { message } = await stage.rest.send('GET', '/metrics');
  assert.ok(message.includes('apiserver_audit_event_total'), 'the API server counts no audit events');
  const lines = message
    .split('\n')
    .filter((line) => /^apiserver_audit_(?:error_total|requests_rejected_total)[{ ]/.test(line));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
