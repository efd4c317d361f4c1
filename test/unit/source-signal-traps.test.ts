/** One test per trap of the tools that tell what happens at runtime. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { buildEvent } from '../../src/pipeline/event-builder.ts';
import { identify, OwnerResolver } from '../../src/pipeline/identity.ts';
import { noPods } from '../../src/pipeline/owner.ts';
import { recognise } from '../../src/sources/recognise.ts';
import type { Carrier, Finding, RawDocument, Reading } from '../../src/sources/source.ts';
import { caseFile, eventsOf } from '../support/format-cases.ts';
import { nameOf, readAt, reportsIn } from '../support/reports.ts';

type Entry = Readonly<Record<string, unknown>>;

function read(document: RawDocument, carrier?: Carrier): Reading {
  const format = recognise(document);
  assert.ok(format !== undefined, 'no format recognises the document');
  return only(format.read(document, { now: readAt, carrier }));
}

function finding(document: RawDocument): Finding {
  return only(read(document).findings);
}

function only<T>(items: readonly T[]): T {
  const [item] = items;
  assert.ok(item !== undefined && items.length === 1, `expected one, found ${items.length}`);
  return item;
}

function signal(document: RawDocument): { readonly occurrences: number; readonly at: string } {
  const { nature } = finding(document);
  assert.ok(nature.kind === 'signal');
  return { occurrences: nature.occurrences, at: nature.at.toISOString() };
}

const alert: Entry = {
  Type: 'MatchedPolicy',
  UpdatedTime: '2025-10-01T08:00:00Z',
  HostName: 'node-1',
  NamespaceName: 'store',
  PodName: 'shop-5b7c9d6f84-x2v7q',
  ContainerName: 'web',
  ContainerImage: 'acme/shop:1@sha256:0',
  PolicyName: 'no-deletes',
  Severity: '5',
  Operation: 'File',
  Resource: '/srv/ledger.db',
  PID: 7,
};

suite('KubeArmor', () => {
  test('severities from 1 to 10; empty, absent and others are unknown', () => {
    const words = ['1', '3', '4', '6', '7', '8', '9', '10', 5, '', undefined, '11', 'high'];
    assert.deepEqual(
      words.map((Severity) => finding({ ...alert, Severity }).severity),
      [
        ...['low', 'low', 'medium', 'medium', 'high', 'high', 'critical', 'critical', 'medium'],
        ...['unknown', 'unknown', 'unknown', 'unknown'],
      ],
    );
  });

  test('what happened without a policy against it is none', () => {
    for (const Type of ['ContainerLog', 'HostLog']) assert.deepEqual(read({ ...alert, Type }).findings, []);
  });

  test('a rollout, another process and another image of the repository change nothing', () => {
    const next = {
      ...alert,
      PodName: 'shop-7d9f8b6c54-b4n8w',
      PID: 9,
      ContainerID: '1',
      ContainerImage: 'acme/shop:2@sha256:1',
      UpdatedTime: '2025-10-01T09:00:00Z',
    };
    assert.deepEqual(eventsOf(next), eventsOf(alert));
    for (const change of [{ PolicyName: 'x' }, { ContainerName: 'x' }, { Operation: 'Process' }, { Resource: '/x' }]) {
      assert.notEqual(nameOf(finding({ ...alert, ...change })), nameOf(finding(alert)));
    }
  });

  test('arguments of programs and addresses of sockets are no identity', () => {
    const named = (Operation: string, Resource: string) => nameOf(finding({ ...alert, Operation, Resource }));
    assert.equal(named('Process', '/bin/sleep 1'), named('Process', '/bin/sleep 2'));
    assert.equal(
      named('Network', 'domain=AF_INET remoteip=192.0.2.1 port=1'),
      named('Network', 'domain=AF_INET remoteip=192.0.2.2 port=2'),
    );
    assert.notEqual(named('Network', 'domain=AF_INET'), named('Network', 'domain=AF_UNIX'));
    assert.notEqual(named('File', '/srv/a b'), named('File', '/srv/a c'));
  });

  test('the time: with fractions, in seconds, else that of reading', () => {
    assert.equal(signal(alert).at, '2025-10-01T08:00:00.000Z');
    assert.equal(signal({ ...alert, UpdatedTime: 'x', Timestamp: 1_759_309_200 }).at, '2025-10-01T09:00:00.000Z');
    assert.equal(signal({ ...alert, UpdatedTime: '0001-01-01T00:00:00Z', Timestamp: 17 }).at, readAt.toISOString());
  });
});

suite('Tetragon', () => {
  const event = (body: Entry, kind = 'process_kprobe') => ({
    [kind]: body,
    node_name: 'node-1',
    time: '2025-10-01T08:00:00.123456789Z',
  });
  const pod = (name: string, more: Entry = {}) => ({ namespace: 'store', name, container: { name: 'web' }, ...more });
  const kprobe = { process: { pid: 1, binary: '/bin/vi', pod: pod('shop-5b7c9d6f84-x2v7q') }, policy_name: 'p' };

  test('exec and exit are none, whatever is in them', () => {
    for (const kind of ['process_exec', 'process_exit', 'process_loader', 'process_throttle']) {
      assert.deepEqual(read(event({ ...kprobe }, kind)).findings, []);
    }
  });

  test('the function where an old version names no policy', () => {
    const { policy_name: _, ...old } = kprobe;
    assert.equal(finding(event({ ...old, function_name: '__x64_sys_write' })).rule, '__x64_sys_write');
  });

  test('the workload that it names is that of the Pod, and processes change nothing', () => {
    const process = { pid: 2, exec_id: 'x', binary: '/bin/vi' };
    const named = (of: Entry) => nameOf(finding(event({ ...kprobe, process: { ...process, pod: of } })));
    const other = pod('shop-7d9f8b6c54-b4n8w');
    assert.equal(named(other), nameOf(finding(event(kprobe))));
    assert.equal(named({ ...other, workload: 'shop', workload_kind: 'Deployment' }), named(other));
    assert.equal(finding(event({ ...kprobe, process })).resource.kind, 'Node');
  });

  test('it says nothing of how bad it is', () => {
    assert.deepEqual([finding(event(kprobe)).severity, finding(event(kprobe)).sourceSeverity], ['unknown', undefined]);
  });
});

suite('NeuVector', () => {
  const notification: Entry = {
    notification: 'incident',
    name: 'Odd',
    level: 'Warning',
    reported_at: '2025-10-01T08:00:00Z',
    workload_name: 'shop-5b7c9d6f84-x2v7q',
    workload_domain: 'store',
  };

  test('its own count is believed where it is one', () => {
    const counts = [4, '4', 0, -1, 1.5, 2 ** 60, 'many', null, undefined];
    assert.deepEqual(
      counts.map((count) => signal({ ...notification, count }).occurrences),
      [4, 4, 1, 1, 1, 1, 1, 1, 1],
    );
  });

  test('the words of syslog, in any case', () => {
    const severities = ['Emergency', 'ALERT', 'critical', 'Error', 'Warning', 'Notice', 'Info', 'Debug', 'Odd'].map(
      (level) => finding({ ...notification, level }).severity,
    );
    const expected = ['critical', 'critical', 'critical', 'high', 'medium', 'low', 'info', 'info', 'unknown'];
    assert.deepEqual(severities, expected);
  });

  test("Docker's name of the pause container is the Pod's", () => {
    const client_name = 'k8s_POD_shop-7d9f8b6c54-b4n8w_store_cdd9cf23-488d-439c-9408-ed98f838c67b_0';
    const { workload_name: _name, workload_domain: _domain, ...bare } = notification;
    assert.equal(nameOf(finding({ ...bare, client_name, client_domain: 'store' })), nameOf(finding(notification)));
  });

  test('a scan that does not say of what is no newer report of anything', () => {
    const scan = (more: Entry = {}) => ({ report: { vulnerabilities: [], modules: [], ...more } });
    assert.equal(read(scan()).completeness, 'partial');
    assert.equal(read(scan({ repository: 'acme/shop' })).completeness, 'complete');
    const carrier = { namespace: 'tools', name: 'shop', key: 'results.json', labels: {}, annotations: {} };
    assert.equal(read(scan(), carrier).completeness, 'complete');
  });
});

test('no command line reaches an event: it may hold a password', async () => {
  for (const format of ['kubearmor', 'tetragon', 'neuvector-notification', 'neuvector-scan']) {
    const documents = await reportsIn(caseFile(format, 'many'));
    assert.ok(JSON.stringify(documents).includes('hunter2'));
    for (const { findings, origin } of documents.flatMap(
      (document) => recognise(document)?.read(document, { now: readAt }) ?? [],
    )) {
      const owners = new OwnerResolver(noPods);
      for (const one of findings) {
        const parts = { finding: one, identity: identify(one, owners), resource: one.resource, reportKey: '', origin };
        const event = JSON.stringify(buildEvent(parts, { namespace: 'zen-system', detectedAt: readAt }));
        assert.ok(!event.includes('hunter2') && !event.includes('masked'), event);
      }
    }
  }
});

test('signals are never evidence of an end', async () => {
  for (const format of ['kubearmor', 'tetragon', 'neuvector-notification']) {
    for (const document of await reportsIn(caseFile(format, 'many'))) {
      assert.equal(read(document).completeness, 'partial');
      for (const { nature } of read(document).findings) assert.equal(nature.kind, 'signal');
    }
  }
});
