/** One test per trap of Falco's alerts. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { buildEvent } from '../../src/pipeline/event-builder.ts';
import { identify, OwnerResolver } from '../../src/pipeline/identity.ts';
import { noPods } from '../../src/pipeline/owner.ts';
import { recognise } from '../../src/sources/recognise.ts';
import type { Finding, RawDocument, Reading } from '../../src/sources/source.ts';
import { caseFile, eventsOf } from '../support/format-cases.ts';
import { nameOf, readAt, reportsIn } from '../support/reports.ts';

type Entry = Readonly<Record<string, unknown>>;

function read(document: RawDocument): Reading {
  const format = recognise(document);
  assert.equal(format?.name, 'falco');
  return only(format?.read(document, { now: readAt }) ?? []);
}

function finding(document: RawDocument): Finding {
  return only(read(document).findings);
}

function only<T>(items: readonly T[]): T {
  const [item] = items;
  assert.ok(item !== undefined && items.length === 1, `expected one, found ${items.length}`);
  return item;
}

function subject(document: RawDocument): string {
  const { kind, namespace, name } = finding(document).resource;
  return [kind, namespace, name].filter((word) => word !== undefined).join('/');
}

const pod = { 'container.id': '0123456789ab', 'k8s.ns.name': 'store', 'k8s.pod.name': 'shop-5b7c9d6f84-x2v7q' };
const fields: Entry = {
  ...pod,
  'container.name': 'web',
  'container.image.repository': 'registry.example.org/acme/shop',
  'container.image.tag': '1.2',
  'evt.time': 1759305600123456800,
  'fd.name': '/etc/shadow',
  'proc.cmdline': 'cat /etc/shadow',
  'proc.exepath': '/usr/bin/cat',
  'proc.name': 'cat',
  'proc.pid': 7,
  'user.name': 'root',
};
const alert: Entry = {
  rule: 'Read sensitive file',
  priority: 'Warning',
  time: '2025-10-01T08:00:00.123456789Z',
  source: 'syscall',
  hostname: 'node-1',
  output: '08:00:00: Warning Sensitive file opened',
  output_fields: fields,
};
const withFields = (more: Entry): Entry => ({ ...alert, output_fields: { ...fields, ...more } });
const withText = (output: string, output_fields?: unknown): Entry => ({
  ...alert,
  output,
  ...(output_fields === undefined ? { output_fields: {} } : { output_fields }),
});

suite('Falco', () => {
  test('priorities in any case; others are unknown, and none is no reason to lose an alert', () => {
    const words = ['Emergency', 'ALERT', 'critical', 'eRRor', 'Warning', 'notice', 'Informational', 'INFO', 'Debug'];
    const odd = ['fatal', '', null, 4, {}];
    assert.deepEqual(
      [...words, ...odd].map((priority) => finding({ ...alert, priority }).severity),
      [
        ...['critical', 'critical', 'critical', 'high', 'medium', 'low', 'info', 'info', 'info'],
        ...['unknown', 'unknown', 'unknown', 'unknown', 'unknown'],
      ],
    );
  });

  test('what repeats is one: other times, processes, containers, Pods of the workload, tags, texts', () => {
    const next = {
      ...withFields({
        'k8s.pod.name': 'shop-7d9f8b6c54-b4n8w',
        'container.id': 'ba9876543210',
        'container.image.tag': '1.3',
        'proc.cmdline': 'cat /etc/shadow --again',
        'proc.pid': 8,
      }),
      time: '2025-10-01T09:00:00Z',
      output: 'another text',
      hostname: 'node-2',
    };
    assert.deepEqual([...eventsOf(next).keys()], [...eventsOf(alert).keys()]);
    assert.deepEqual([...eventsOf(next).values()], [...eventsOf(alert).values()]);
  });

  test('another rule, file, program, user, container, image or workload is another finding', () => {
    const others = [
      { ...alert, rule: 'Another' },
      ...[
        { 'fd.name': '/etc/passwd' },
        { 'proc.exepath': '/bin/dd' },
        { 'user.name': 'app' },
        { 'container.name': 'side' },
        { 'container.image.repository': 'registry.example.org/acme/other' },
        { 'k8s.pod.name': 'ledger-5b7c9d6f84-x2v7q' },
      ].map(withFields),
    ];
    const names = [alert, ...others].map((one) => nameOf(finding(one)));
    assert.equal(new Set(names).size, names.length);
  });

  test('what is random in a path is no identity', () => {
    const groups = [
      ['/tmp/tmp.x1y2', '/tmp/a/b'],
      ['/proc/17/environ', '/proc/4711/environ'],
      ['/dev/shm/a', '/dev/shm/b'],
      ['/run/user/1000/a', '/run/user/1001/b'],
      [
        '/var/lib/kubelet/pods/00000000-0000-4000-8000-000000000001/volumes/x',
        '/var/lib/kubelet/pods/a0000000-0000-4000-8000-000000000002/volumes/x',
      ],
      [`/var/lib/docker/overlay2/${'ab'.repeat(32)}/merged`, `/var/lib/docker/overlay2/${'0c'.repeat(32)}/merged`],
      ['10.0.0.7:51234->10.96.0.1:443', '10.0.0.8:41234->10.96.0.2:443'],
      ['10.0.0.7:51234->198.51.100.3:443', '10.0.9.9:4->198.51.100.3:443'],
    ];
    const nameWith = (file: string) => nameOf(finding(withFields({ 'fd.name': file })));
    for (const group of groups) assert.equal(new Set(group.map(nameWith)).size, 1, group.join(' '));
    assert.equal(new Set(groups.map(([first = '']) => nameWith(first))).size, groups.length);
    assert.notEqual(nameWith('10.0.0.7:1->198.51.100.3:443'), nameWith('10.0.0.7:1->198.51.100.4:443'));
    assert.notEqual(nameWith('/proc/sys/kernel'), nameWith('/proc/self/environ'));
  });

  test('null, <NA>, empty and absent are the same; numbers are text', () => {
    const without = { ...fields };
    delete (without as Record<string, unknown>)['user.name'];
    const names = [null, '<NA>', ''].map((value) => nameOf(finding(withFields({ 'user.name': value }))));
    assert.deepEqual(new Set(names), new Set([nameOf(finding({ ...alert, output_fields: without }))]));
    assert.equal(finding(withFields({ 'user.name': 1000 })).describe().details['user'], '1000');
  });

  test('the Pod from the text, in brackets and behind a bar, by every name it goes by', () => {
    const texts = [
      '08:00: Notice A shell (user=root k8s.ns=store k8s.pod=shop-5b7c9d6f84-x2v7q container=0123 shell=bash parent=<NA> cmdline=bash )',
      '08:00: Notice A shell (user=root k8s_ns=store k8s_pod=shop-5b7c9d6f84-x2v7q)',
      '08:00: Notice A shell | user=root k8s_ns_name=store k8s_pod_name=shop-5b7c9d6f84-x2v7q',
      '08:00: Notice A shell | k8s_pod_name=shop-5b7c9d6f84-x2v7q k8s_ns_name=store',
    ];
    for (const text of texts) assert.equal(subject(withText(text)), 'Pod/store/shop-5b7c9d6f84-x2v7q', text);
    const { output_fields: _, ...without } = withText(texts[1] ?? '');
    assert.equal(subject(without), 'Pod/store/shop-5b7c9d6f84-x2v7q');
  });

  test('values with blanks end at the next key', () => {
    const { details } = finding(
      withText('x (command=sh -c a --b file=/srv/a b user=the root k8s_ns=store k8s_pod=p container_name=web)'),
    ).describe();
    assert.deepEqual(
      [details['file'], details['user'], details['container'], details['process']],
      ['/srv/a b', 'the root', 'web', ''],
    );
  });

  test('a command line accuses nobody else: fields go before the text, the end of it before the rest', () => {
    const lie = 'x | command=sh k8s_ns=kube-system k8s_pod_name=innocent container_name=x';
    assert.equal(subject({ ...alert, output: lie }), 'Pod/store/shop-5b7c9d6f84-x2v7q');
    // On the host, and in a container that no Pod is known of.
    assert.equal(subject(withText(lie, { 'container.id': 'host' })), 'Node/node-1');
    assert.equal(subject(withText(lie, { 'container.id': '0123' })), 'Node/node-1');
    assert.equal(subject(withText(`${lie} k8s_ns_name=store k8s_ns=store k8s_pod_name=shop`)), 'Pod/store/shop');
  });

  test("a container's name in Docker tells the Pod; the pause container is none of its own", () => {
    const named = (name: string) =>
      finding({ ...alert, output_fields: { 'container.id': '0', 'container.name': name } });
    const web = named('k8s_web_shop-5b7c9d6f84-x2v7q_store_00000000-0000-4000-8000-00000000000a_0');
    assert.deepEqual(web.resource, {
      apiVersion: 'v1',
      kind: 'Pod',
      name: 'shop-5b7c9d6f84-x2v7q',
      namespace: 'store',
    });
    assert.equal(web.describe().details['container'], 'web');
    assert.equal(named('k8s_POD_shop_store_u_0').describe().details['container'], '');
  });

  test('a Pod without a namespace is still that Pod', () => {
    assert.equal(subject({ ...alert, output_fields: { 'k8s.pod.name': 'falco-74htl' } }), 'Pod/falco-74htl');
  });

  test('the host, by its name; without any the cluster; of a plugin the plugin', () => {
    const bare = { rule: 'x', priority: 'Error', time: '2025-10-01T08:00:00Z' };
    assert.equal(subject({ ...bare, hostname: 'node-1' }), 'Node/node-1');
    assert.equal(subject(bare), 'Cluster/cluster');
    assert.equal(subject({ ...bare, source: 'github', hostname: 'falco-0' }), 'FalcoPlugin/github');
    assert.equal(subject({ ...bare, source: 'syscall', output_fields: { 'evt.hostname': 'node-2' } }), 'Node/node-2');
  });

  test('the object of an API request', () => {
    const request = (more: Entry) =>
      subject({
        ...alert,
        source: 'k8s_audit',
        output_fields: { 'ka.verb': 'create', 'ka.user.name': 'alice', ...more },
      });
    const target = { 'ka.target.resource': 'pods', 'ka.target.name': 'shop', 'ka.target.namespace': 'store' };
    assert.equal(request(target), 'Pod/store/shop');
    assert.equal(request({ ...target, 'ka.target.resource': 'widgets' }), 'widgets/store/shop');
    assert.equal(request({ ...target, 'ka.target.name': '<NA>', 'ka.resp.name': 'made' }), 'Pod/store/made');
    assert.equal(request({ ...target, 'ka.target.name': null }), 'Namespace/store');
    assert.equal(
      request({ 'ka.target.resource': 'namespaces', 'ka.target.name': 'a', 'ka.target.namespace': 'a' }),
      'Namespace/a',
    );
    assert.equal(request({}), 'Cluster/cluster');
  });

  test("Falco's words about itself are none; falcosidekick's test event is one", () => {
    assert.deepEqual(read({ ...alert, rule: 'Falco internal: syscall event drop' }).findings, []);
    const one = finding({
      ...alert,
      rule: 'Test rule',
      priority: 'Debug',
      time: '2001-01-01T01:10:00Z',
      source: 'syscalls',
    });
    assert.ok(one.nature.kind === 'signal');
    assert.deepEqual([one.severity, one.nature.at], ['info', readAt]);
  });

  test('the time is that of the alert, never the nanoseconds that JSON cannot hold', () => {
    const at = (time: unknown) => {
      const { nature } = finding({ ...alert, time });
      assert.ok(nature.kind === 'signal');
      return nature.at.toISOString();
    };
    assert.equal(at('2025-10-01T08:00:00.123456789Z'), '2025-10-01T08:00:00.123Z');
    assert.equal(at('2025-10-01T10:00:00+02:00'), '2025-10-01T08:00:00.000Z');
    for (const time of ['2099-01-01T00:00:00Z', 1759305600123456800, null, 'now'])
      assert.equal(at(time), readAt.toISOString());
  });

  test('an id that falcosidekick gives is known again', () => {
    const { nature } = finding({ ...alert, uuid: 'u-1' });
    assert.ok(nature.kind === 'signal' && nature.occurrences === 1);
    assert.deepEqual(nature.occurrenceIds, ['u-1']);
    const { nature: without } = finding(alert);
    assert.ok(without.kind === 'signal' && without.occurrenceIds === undefined);
  });

  test('no command line and no content of a file reaches an event', async () => {
    const documents = await reportsIn(caseFile('falco', 'many'));
    assert.ok(JSON.stringify(documents).includes('hunter2'));
    for (const document of [...documents, withFields({ 'proc.cmdline': 'x hunter2', 'evt.buffer': 'hunter2' })]) {
      const { findings, origin } = read(document);
      const owners = new OwnerResolver(noPods);
      for (const one of findings) {
        const parts = { finding: one, identity: identify(one, owners), resource: one.resource, reportKey: '', origin };
        const event = JSON.stringify(buildEvent(parts, { namespace: 'zen-system', detectedAt: readAt }));
        assert.ok(!event.includes('hunter2') && !event.includes('masked'), event);
      }
    }
  });

  test('a text made to be slow is read in no time', () => {
    const texts = ['a'.repeat(2 ** 20), '(a='.repeat(2 ** 18), ' a.'.repeat(2 ** 18), '=('.repeat(2 ** 18)];
    for (const text of texts) assert.equal(finding(withText(text)).resource.kind, 'Node');
  });
});
