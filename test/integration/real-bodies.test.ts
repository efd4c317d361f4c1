/**
 * Real reports by the other roads: as the body of a webhook, and as the objects of tools whose own CRDs are not at hand.
 * Each gives the events that `scan` gives (fixtures.test.ts has the reports with CRDs, daemon-config-maps the ConfigMaps).
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { ZenAgentEvent } from '../../src/api/event.ts';
import { groupOf } from '../../src/lib/api-group.ts';
import { recognise } from '../../src/sources/recognise.ts';
import { sourceOf, sources } from '../../src/sources/registry.ts';
import type { RawDocument } from '../../src/sources/source.ts';
import { ready, received } from '../support/daemon.ts';
import { openFixtures, reportsIn } from '../support/reports.ts';
import { scanDocuments, scanFile } from '../support/scanned.ts';
import { definitionsIn, Stage, standInFolder } from '../support/stage.ts';
import { until } from '../support/until.ts';
import { webhookPort, webhooksOnly } from '../support/webhook-runs.ts';
import { WebhookSender } from '../support/webhook-sender.ts';

const folder = openFixtures();
const skip = folder === undefined ? 'the folder of real reports is not here' : false;

/** What happened long ago is over when it arrives: only how things are can be compared. */
const isState = ({ status }: ZenAgentEvent) => status?.lastSeen === undefined;
const namesOf = (events: readonly { readonly metadata: { readonly name: string } }[]) =>
  events.map(({ metadata }) => metadata.name).sort();

suite('real reports', { skip }, () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.start({ crds: 'events' });
    await stage.define(...definitionsIn(join(standInFolder, 'named')));
  });
  after(() => stage?.stop());

  /** The source whose formats read the file; undefined for objects of the API server. */
  async function carriedSource(path: string): Promise<string | undefined> {
    const formats = (await reportsIn(path)).map((report) => recognise(report));
    const carried = formats.find((format) => format && sourceOf(format)?.formats?.includes(format));
    return carried === undefined ? undefined : sourceOf(carried)?.name;
  }

  test('sent to /webhook/<source> they give the events that scan gives', async (t) => {
    const open = Object.fromEntries(
      sources.filter(({ formats = [] }) => formats.length > 0).map(({ name }) => [name, { open: true }]),
    );
    const home = await stage.home('events');
    const webhooks = { port: 0, host: '127.0.0.1', routes: open };
    const daemon = await stage.daemon(home, webhooksOnly({ webhooks }));
    await ready(daemon);
    const expected = new Set<string>();
    let signals = 0;
    let sent = 0;
    for (const file of globSync('*/*.json', { cwd: folder ?? '' }).toSorted()) {
      const path = join(folder ?? '', file);
      const source = await carriedSource(path);
      if (source === undefined) continue;
      const sender = new WebhookSender(webhookPort(daemon), `/webhook/${source}`);
      const status = await sender.send(JSON.parse(readFileSync(path, 'utf8').replace(/^\uFEFF/, '')));
      await sender.close();
      // 202: taken, the events are written within the budget of writes.
      assert.ok([200, 202].includes(status), `${file}: ${status}`);
      sent += 1;
      const events = await scanFile(path);
      for (const event of events.filter(isState)) expected.add(event.metadata.name);
      signals += events.filter((event) => !isState(event)).length;
    }
    assert.ok(expected.size > 1000);
    await received(daemon, expected.size);
    const found = (await stage.events(home.namespace)).filter(({ status }) => status?.lastSeen === undefined);
    const missing = expected.difference(new Set(namesOf(found)));
    assert.deepEqual([...missing], []);
    t.diagnostic(`${sent} files, ${expected.size} events of state, ${signals} of signals`);
    assert.ok(found.length - expected.size <= signals);
    await stage.endBalanced(daemon);
  });

  test('objects of Gatekeeper, cert-manager and Sealed Secrets give the events that scan gives', async (t) => {
    const documents: RawDocument[] = [];
    for (const file of globSync('{gatekeeper,cert-manager,sealed-secrets}/*', { cwd: folder ?? '' }).toSorted()) {
      for (const document of await reportsIn(join(folder ?? '', file))) {
        const format = recognise(document);
        if (format === undefined || sourceOf(format)?.formats?.includes(format)) continue;
        documents.push(document);
      }
    }
    const namespace = await stage.namespace('shop');
    const put = documents.map((document, at) => placed(document, namespace, at));
    const kinds = new Set(put.filter(({ apiVersion }) => isConstraint(apiVersion)).map(({ kind }) => String(kind)));
    await stage.define(...[...kinds].map(constraintKind));
    const home = await stage.home('events');
    const daemon = await stage.daemon(home, {
      timing: { discoveryMs: 300 },
    });
    await ready(daemon);
    for (const object of put) {
      const { apiVersion, kind, metadata } = object;
      const within = isConstraint(apiVersion) ? '' : `/namespaces/${namespace}`;
      const plural = isConstraint(apiVersion) ? String(kind).toLowerCase() : `${String(kind).toLowerCase()}s`;
      await stage.apply(`/apis/${apiVersion}${within}/${plural}/${metadata.name}`, object);
    }
    const expected = namesOf(await scanDocuments(put));
    assert.ok(expected.length > 0);
    const found = await until('the events', async () => {
      const events = await stage.events(home.namespace);
      return events.length >= expected.length ? events : undefined;
    });
    assert.deepEqual(namesOf(found), expected);
    t.diagnostic(`${put.length} objects, ${expected.length} events`);
    await stage.endBalanced(daemon);
  });
});

function isConstraint(apiVersion: unknown): boolean {
  return groupOf(String(apiVersion)) === 'constraints.gatekeeper.sh';
}

/** Ready for the server: a name and a namespace of the test, and nothing that the server gives. */
function placed(document: RawDocument, namespace: string, at: number) {
  const metadata = (document['metadata'] ?? {}) as Readonly<Record<string, unknown>>;
  const name = typeof metadata['name'] === 'string' ? metadata['name'] : `object-${at}`;
  const kept = {
    labels: metadata['labels'] ?? {},
    name,
    ...(isConstraint(document['apiVersion']) ? {} : { namespace }),
  };
  // Samples of older versions are of the one that is served.
  const apiVersion = String(document['apiVersion']).replace(/^(cert-manager\.io)\/.*/, '$1/v1');
  return { ...document, apiVersion, kind: document['kind'], metadata: kept };
}

/** What a ConstraintTemplate makes Gatekeeper make. */
function constraintKind(kind: string) {
  const plural = kind.toLowerCase();
  const openAPIV3Schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.constraints.gatekeeper.sh` },
    spec: {
      group: 'constraints.gatekeeper.sh',
      scope: 'Cluster',
      names: { kind, listKind: `${kind}List`, plural, singular: plural },
      versions: [{ name: 'v1beta1', served: true, storage: true, schema: { openAPIV3Schema } }],
    },
  };
}
