/** What people see of events through kubectl (E1). */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, suite, test } from 'node:test';
import { apply, kubectlOutput } from '../cluster/kubectl.ts';
import { ensureEventCrd } from '../support/crd.ts';
import { makeNamespace, removeNamespace } from '../support/namespace.ts';
import { sampleEvent } from '../support/sample-event.ts';
import { type UsedControlPlane, useControlPlane } from '../support/shared-control-plane.ts';

const narrow = ['NAME', 'SEVERITY', 'SOURCE', 'SUBJECT', 'SUMMARY', 'PHASE', 'AGE'];
const wide = [...narrow, 'TYPE', 'NAMESPACE', 'COUNT', 'LAST SEEN', 'TITLE', 'CLUSTER'];

/** The cells of each line of a table. Columns start where their heads do; three blanks or more stand between them. */
function cells(table: string): string[][] {
  const [head = '', ...rows] = table.trimEnd().split('\n');
  const starts = [...head.matchAll(/(?<=^| {3})\S/g)].map((match) => match.index);
  return [head, ...rows].map((line) => starts.map((start, column) => line.slice(start, starts[column + 1]).trimEnd()));
}

suite('CRD: kubectl', () => {
  let used: UsedControlPlane;
  let namespace: string;
  /** A cache of its own, as on a machine that never saw this cluster. */
  let cache: string;
  const worst = sampleEvent('worst', { severity: 'critical' });
  const least = sampleEvent('least', { severity: 'low', summary: 'Another summary' });

  before(async () => {
    used = await useControlPlane();
    await ensureEventCrd(used.controlPlane);
    cache = mkdtempSync(join(tmpdir(), 'zen-kubectl-cache-'));
    namespace = await makeNamespace(used.controlPlane, 'crd-kubectl');
    for (const event of [worst, least]) await applyEvent(event);
  });
  after(async () => {
    if (namespace) await removeNamespace(used.controlPlane, namespace);
    await used?.stop();
    if (cache) rmSync(cache, { recursive: true, force: true });
  });

  const applyEvent = (event: ReturnType<typeof sampleEvent>) =>
    apply(used.controlPlane, JSON.stringify({ ...event, metadata: { ...event.metadata, namespace } }));
  const get = (...args: string[]) =>
    kubectlOutput(used.controlPlane, [`--cache-dir=${cache}`, '-n', namespace, 'get', ...args]);
  test('the columns of a plain get', async () => {
    const [header, row] = cells(await get('zenevents', worst.metadata.name));
    assert.deepEqual(header, narrow);
    assert.deepEqual(row?.slice(0, -1), [
      worst.metadata.name,
      'critical',
      'trivy',
      'Deployment/web-frontend',
      'CVE-2024-3094 liblzma5 5.6.0-0.2',
      'Active',
    ]);
    assert.match(row?.at(-1) ?? '', /^\d+m?\d*s$/);
  });

  test('the columns of -o wide', async () => {
    const [header, row] = cells(await get('zenevents', worst.metadata.name, '-o', 'wide'));
    assert.deepEqual(header, wide);
    const { eventType, title, cluster } = worst.spec;
    assert.deepEqual(row?.slice(narrow.length), [eventType, 'shop', '1', '', title, cluster]);
  });

  test('every name and the category find them', async () => {
    const own = [least, worst].map(({ metadata }) => `zenagentevent.zen.kube-zen.io/${metadata.name}`).sort();
    const names = [
      'zenagentevents',
      'zenagentevent',
      'zenevents',
      'zenevent',
      'zae',
      'zaevent',
      'zaevents',
      'ZenAgentEvent',
      'security',
    ];
    for (const name of names) {
      const listed = (await get(name, '-o', 'name')).trim().split('\n').sort();
      assert.deepEqual(listed, own, name);
    }
  });

  test('the table can be sorted and selected', async () => {
    const order = async (...args: string[]) =>
      cells(await get('zae', ...args))
        .slice(1)
        .map(([name]) => name);
    assert.deepEqual(await order('--sort-by=.spec.severity'), [worst.metadata.name, least.metadata.name]);
    assert.deepEqual(await order('--sort-by=.spec.summary'), [least.metadata.name, worst.metadata.name]);
    assert.deepEqual(await order('--field-selector=spec.severity=low'), [least.metadata.name]);
    assert.deepEqual(await order('-l', 'zen.kube-zen.io/severity=critical'), [worst.metadata.name]);
  });

  test('explain tells what the fields are', async () => {
    const text = await kubectlOutput(used.controlPlane, [`--cache-dir=${cache}`, 'explain', 'zenevents.spec.severity']);
    assert.match(
      text,
      /FIELD: severity <string>\s+ENUM:\s+critical\s+high\s+medium\s+low\s+info\s+unknown\s+DESCRIPTION:\s+[A-Z]/,
    );
  });

  test('--watch prints a row for an event that is created', { timeout: 60_000 }, async () => {
    const created = sampleEvent('created while watching', { severity: 'high' });
    const { binaries, kubeconfigPath } = used.controlPlane;
    const args = [
      `--kubeconfig=${kubeconfigPath}`,
      `--cache-dir=${cache}`,
      '-n',
      namespace,
      'get',
      'zenevents',
      '--watch',
    ];
    const watch = spawn(binaries.kubectl, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const rows: string[] = [];
      for await (const line of createInterface({ input: watch.stdout })) {
        rows.push(line);
        // The head and the two rows that were there; only then can a further one have come from the watch.
        if (rows.length === 3) await applyEvent(created);
        if (rows.length === 4) break;
      }
      const [head = [], , , row = []] = cells(rows.join('\n'));
      assert.deepEqual(head, narrow);
      assert.deepEqual(row.slice(0, 3), [created.metadata.name, 'high', 'trivy']);
      assert.equal(row[5], 'Active');
    } finally {
      watch.kill();
    }
  });
});
