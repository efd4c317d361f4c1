/** What the server refuses of an event, and in which words (E3). Bad events are tried as dry runs: nothing stays. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { EventSpec } from '../../src/api/event.ts';
import { specSchema, statusSchema } from '../../src/api/schema.ts';
import { ensureEventCrd, eventsPath } from '../support/crd.ts';
import { makeNamespace, removeNamespace } from '../support/namespace.ts';
import { Rest, type RestAnswer } from '../support/rest.ts';
import { sampleEvent } from '../support/sample-event.ts';
import { type UsedControlPlane, useControlPlane } from '../support/shared-control-plane.ts';

const fingerprint = sampleEvent('refusals').spec.fingerprint ?? '';

/** A spec that is laid over a good one, and what the server must say about it. */
const badSpecs: readonly [what: string, change: Readonly<Record<string, unknown>>, message: RegExp][] = [
  [
    'an unknown severity',
    { severity: 'severe' },
    /spec\.severity: Unsupported value: "severe": supported values: "critical", "high"/,
  ],
  ['an upper-case severity', { severity: 'HIGH' }, /spec\.severity: Unsupported value: "HIGH"/],
  ['no severity', { severity: undefined }, /spec\.severity: Required value/],
  ['no source', { source: undefined }, /spec\.source: Required value/],
  ['no category', { category: undefined }, /spec\.category: Required value/],
  ['no eventType', { eventType: undefined }, /spec\.eventType: Required value/],
  ['an unknown category', { category: 'Security' }, /spec\.category: Unsupported value: "Security"/],
  ['an upper-case source', { source: 'Trivy' }, /spec\.source: Invalid value: "Trivy": .*should match/],
  ['a source with an underscore', { source: 'kube_bench' }, /spec\.source: Invalid value: "kube_bench"/],
  ['a source that ends in a dash', { source: 'trivy-' }, /spec\.source: Invalid value: "trivy-"/],
  ['an empty source', { source: '' }, /spec\.source: Invalid value: ""/],
  [
    'an event type with a blank',
    { eventType: 'policy violation' },
    /spec\.eventType: Invalid value: "policy violation"/,
  ],
  ['an upper-case event type', { eventType: 'Vulnerability' }, /spec\.eventType: Invalid value: "Vulnerability"/],
  ['a short fingerprint', { fingerprint: fingerprint.slice(0, 51) }, /spec\.fingerprint: Invalid value: .*at least 52/],
  [
    'an upper-case fingerprint',
    { fingerprint: fingerprint.toUpperCase() },
    /spec\.fingerprint: Invalid value: .*should match/,
  ],
  [
    'nine references',
    { references: Array(9).fill('https://example.org') },
    /spec\.references: Too many: 9: must have at most 8/,
  ],
  [
    'too many details',
    { details: Object.fromEntries(Array.from({ length: 1025 }, (_, i) => [`k${i}`, i])) },
    /spec\.details: Too many: 1025/,
  ],
  ['details that are no object', { details: ['a'] }, /spec\.details: Invalid value: "array"/],
  ['a time that is none', { detectedAt: 'yesterday' }, /spec\.detectedAt: Invalid value: "yesterday": .*date-time/],
  ['a score above 100', { score: 101 }, /spec\.score: Invalid value: 101/],
  ['a score that is a word', { score: 'high' }, /spec\.score: Invalid value: "string"/],
];

const badStatus: readonly [what: string, status: Readonly<Record<string, unknown>>, message: RegExp][] = [
  [
    'an unknown phase',
    { phase: 'active' },
    /status\.phase: Unsupported value: "active": supported values: "Active", "Resolved"/,
  ],
  ['an unknown reason', { reason: 'because' }, /status\.reason: Unsupported value: "because"/],
  ['a negative count', { count: -1 }, /status\.count: Invalid value: -1/],
  [
    'nine conditions',
    { conditions: Array.from({ length: 9 }, (_, i) => condition(`T${i}`)) },
    /status\.conditions: Too many: 9/,
  ],
  [
    'one condition twice',
    { conditions: [condition('Fresh'), condition('Fresh')] },
    /status\.conditions\[1\]: Duplicate value/,
  ],
  [
    'a condition with another status',
    { conditions: [{ ...condition('Fresh'), status: 'Maybe' }] },
    /conditions\[0\]\.status: Unsupported value/,
  ],
];

function condition(type: string) {
  return { type, status: 'False', reason: 'ReportMissing', lastTransitionTime: '2026-01-02T03:10:00Z' };
}

interface StringNode {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly maxLength?: number;
  readonly items?: StringNode;
  readonly properties?: Readonly<Record<string, StringNode>>;
}

/** Every bounded string below a node that takes more than fixed words: its path, its bound, and a value with it there. */
function boundedStrings(
  node: StringNode,
  wrap: (value: unknown) => unknown,
  path: string,
): [string, number, (value: string) => unknown][] {
  if (node.type === 'string') return node.enum || node.maxLength === undefined ? [] : [[path, node.maxLength, wrap]];
  if (node.items) return boundedStrings(node.items, (value) => wrap([value]), `${path}[0]`);
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) =>
    boundedStrings(child, (value) => wrap({ [name]: value }), `${path}.${name}`),
  );
}

suite('CRD: refusals', () => {
  let used: UsedControlPlane;
  let rest: Rest;
  let namespace: string;
  let events: string;

  before(async () => {
    used = await useControlPlane();
    await ensureEventCrd(used.controlPlane);
    rest = new Rest(used.controlPlane);
    namespace = await makeNamespace(used.controlPlane, 'crd-refusals');
    events = eventsPath(namespace);
  });
  after(async () => {
    await rest?.close();
    if (namespace) await removeNamespace(used.controlPlane, namespace);
    await used?.stop();
  });

  /** Tries to create an event with a changed spec, whose name fits the source and fingerprint that it has. */
  function tryCreate(change: Readonly<Record<string, unknown>>): Promise<RestAnswer> {
    const event = sampleEvent('refusals');
    const spec = { ...event.spec, ...change };
    return rest.send('POST', `${events}?dryRun=All`, { ...event, spec });
  }

  async function tryStatus(status: unknown): Promise<RestAnswer> {
    const event = sampleEvent('refusals of status');
    await rest.send('POST', events, event); // 201 the first time, 409 later.
    return rest.send('PATCH', `${events}/${event.metadata.name}/status?dryRun=All`, { status }, 'merge');
  }

  function assertRefused({ code, message }: RestAnswer, words: RegExp): void {
    assert.equal(code, 422, message);
    assert.match(message, words);
  }

  test('the event that all others are made from is good', async () => {
    const { code, message } = await tryCreate({});
    assert.equal(code, 201, message);
  });

  for (const [what, change, message] of badSpecs) {
    test(`${what} is refused`, async () => assertRefused(await tryCreate(change), message));
  }
  for (const [what, status, message] of badStatus) {
    test(`${what} is refused`, async () => assertRefused(await tryStatus(status), message));
  }

  for (const [path, bound, wrap] of boundedStrings(specSchema, (value) => value, 'spec')) {
    test(`${path} of ${bound + 1} characters is refused`, async () => {
      const change = wrap('a'.repeat(bound + 1)) as Record<string, unknown>;
      assertRefused(await tryCreate(change), new RegExp(`${escaped(path)}: Too long: may not be more than ${bound} `));
    });
  }
  for (const [path, bound, wrap] of boundedStrings(statusSchema, (value) => value, 'status')) {
    test(`${path} of ${bound + 1} characters is refused`, async () => {
      const { conditions: [part] = [], ...fields } = wrap('a'.repeat(bound + 1)) as Record<string, object[]>;
      const status = part ? { conditions: [{ ...condition('Fresh'), ...part }] } : fields;
      assertRefused(await tryStatus(status), new RegExp(`${escaped(path)}: Too long: may not be more than ${bound} `));
    });
  }

  test('characters are counted, not bytes', async () => {
    const { code, message } = await tryCreate({ summary: 'ß€😀'.repeat(16) });
    assert.equal(code, 201, message);
    assertRefused(await tryCreate({ summary: '😀'.repeat(49) }), /spec\.summary: Too long/);
  });

  test('a name that is not bound to source and fingerprint is refused', async () => {
    const words = /metadata\.name must be <source>-<first 26 characters of fingerprint>/;
    const event = sampleEvent('name');
    for (const name of [
      'anything',
      event.metadata.name.slice(0, -1),
      `${event.metadata.name}a`,
      `kyverno${event.metadata.name.slice(5)}`,
    ]) {
      assertRefused(await rest.send('POST', `${events}?dryRun=All`, { ...event, metadata: { name } }), words);
    }
    assertRefused(
      await rest.send('POST', `${events}?dryRun=All`, { ...event, metadata: { generateName: 'trivy-' } }),
      words,
    );
    assertRefused(await tryCreate({ source: 'kyverno' }), words);
  });

  test('without a fingerprint any name will do, as events of older versions have it', async () => {
    const event = sampleEvent('older');
    const spec = { ...event.spec, fingerprint: undefined };
    const answer = await rest.send('POST', `${events}?dryRun=All`, {
      ...event,
      metadata: { generateName: 'trivy-' },
      spec,
    });
    assert.equal(answer.code, 201, answer.message);
  });

  suite('later changes', () => {
    const other = sampleEvent('another').spec.fingerprint;

    test('source and fingerprint are immutable', async () => {
      const event = sampleEvent('immutable');
      assert.equal((await rest.send('POST', events, event)).code, 201);
      const path = `${events}/${event.metadata.name}?dryRun=All`;
      for (const [spec, words] of [
        [{ source: 'kyverno' }, /spec\.source: .*source is immutable/],
        [{ fingerprint: other }, /spec: .*fingerprint is immutable/],
        [{ fingerprint: null }, /spec: .*fingerprint is immutable/],
      ] as const) {
        assertRefused(await rest.send('PATCH', path, { spec }, 'merge'), words);
      }
    });

    test('an event without a fingerprint cannot get one', async () => {
      const event = sampleEvent('adopted');
      const stranger = { ...event, spec: { ...event.spec, fingerprint: undefined } };
      assert.equal((await rest.send('POST', events, stranger)).code, 201);
      const change = { spec: { fingerprint: event.spec.fingerprint } };
      const answer = await rest.send('PATCH', `${events}/${event.metadata.name}?dryRun=All`, change, 'merge');
      assertRefused(answer, /fingerprint is immutable/);
    });

    test('everything else of spec may be corrected', async () => {
      const event = sampleEvent('corrected');
      assert.equal((await rest.send('POST', events, event)).code, 201);
      const spec: Partial<EventSpec> = {
        severity: 'low',
        category: 'compliance',
        eventType: 'misconfiguration',
        title: 'Another title',
        resource: { kind: 'StatefulSet', name: 'db' },
        detectedAt: '2026-02-03T04:05:06Z',
      };
      const answer = await rest.send('PATCH', `${events}/${event.metadata.name}`, { spec }, 'merge');
      assert.equal(answer.code, 200, answer.message);
      assert.equal(answer.body['spec'].severity, 'low');
    });
  });
});

function escaped(path: string): string {
  return path.replace(/[.[\]]/g, '\\$&');
}
