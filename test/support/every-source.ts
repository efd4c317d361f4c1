/** A scenario that touches everything the daemon reads: a CRD, a namespace and a report of each kind, from the registry. */
import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { sources } from '../../src/sources/registry.ts';
import type { Intake } from '../../src/sources/source.ts';
import { caseFile } from './format-cases.ts';
import type { Stage } from './stage.ts';

/** A kind that a source reads. */
interface ReadKind {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly intake?: Intake;
}

/** Kinds that the API server has by itself. */
const builtIn = (group: string) => group === '' || group.endsWith('.k8s.io');

/** The kinds of all sources: reports, policies, and one invented kind of each group that users make kinds of. */
export function readKinds(): readonly ReadKind[] {
  return sources.flatMap(({ intakes, policies = [] }) => [
    ...intakes.map((intake): ReadKind => {
      const { group, namespaced, versions } = intake;
      const version = versions[0] ?? 'v1';
      if (intake.via === 'resource') {
        return { group, version, resource: intake.resource, kind: intake.kind, namespaced, intake };
      }
      return { group, version, resource: 'inventedrules', kind: 'InventedRules', namespaced, intake };
    }),
    ...policies.map(
      ({ group, versions, resource, namespaced }): ReadKind => ({
        ...{ group, version: versions[0] ?? 'v1', resource, namespaced },
        kind: `${resource.slice(0, 1).toUpperCase()}${resource.slice(1)}`,
      }),
    ),
  ]);
}

/** Defines what is not there: CRDs that take any shape. */
export async function defineAll(stage: Stage): Promise<void> {
  const missing = [];
  for (const one of readKinds()) {
    const path = `/apis/${one.group}/${one.version}/${one.resource}?limit=1`;
    if (builtIn(one.group) || (await stage.rest.send('GET', path)).code === 200) continue;
    missing.push(definitionOf(one));
  }
  await stage.define(...missing);
}

function definitionOf({ group, version, resource, kind, namespaced }: ReadKind) {
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${resource}.${group}` },
    spec: {
      group,
      scope: namespaced ? 'Namespaced' : 'Cluster',
      names: { plural: resource, singular: kind.toLowerCase(), kind, listKind: `${kind}List` },
      versions: [{ name: version, served: true, storage: true, schema }],
    },
  };
}

/** Puts a report of each kind there, about a namespace of its own, so that each has findings that no other has. */
export async function reportAll(stage: Stage): Promise<void> {
  const kinds = readKinds().filter(({ intake, group }) => intake !== undefined && !builtIn(group));
  for (const [index, one] of kinds.entries()) {
    const namespace = `about-${index}`;
    await stage.rest.send('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
    const path = `/apis/${one.group}/${one.version}/${one.namespaced ? `namespaces/${namespace}/` : ''}${one.resource}`;
    const report = reportOf(one, namespace);
    const { metadata } = await stage.must(201, 'POST', path, report);
    // Where status is a subresource, a create drops it.
    await stage.rest.send('PATCH', `${path}/${metadata.name}/status`, { status: report.status ?? {} }, 'merge');
  }
}

function reportOf({ intake, group, version, kind, namespaced }: ReadKind, namespace: string) {
  const text = readFileSync(caseFile(intake?.format.name ?? '', 'one'), 'utf8');
  const document = JSON.parse(JSON.stringify(parseDocument(text).toJS()).replaceAll('store', namespace));
  const { name, labels, annotations } = document.metadata;
  const metadata = { name, labels, annotations, ...(namespaced ? { namespace } : {}) };
  return { ...document, apiVersion: `${group}/${version}`, kind, metadata };
}

/** A burst of Warning events, more than a short queue takes. */
export async function warnAll(stage: Stage, namespace: string, round: number): Promise<void> {
  const at = new Date().toISOString().replace(/\.\d+/, '');
  const warnings = Array.from({ length: 12 }, (_, index) => ({
    metadata: { name: `warning-${round}-${index}`, namespace },
    involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace, name: `pod-${round}-${index}` },
    ...{
      type: 'Warning',
      reason: 'FailedMount',
      message: 'no volume',
      count: 1,
      firstTimestamp: at,
      lastTimestamp: at,
    },
    source: { component: 'kubelet' },
  }));
  await Promise.all(warnings.map((one) => stage.must(201, 'POST', `/api/v1/namespaces/${namespace}/events`, one)));
}
