/** values.schema.json and README.md of the chart, from values.yaml, its comments and the daemon's configuration schema. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMap, isScalar, type Pair, parseDocument, type YAMLMap } from 'yaml';
import * as z from 'zod/mini';
import { configSchema } from '../../src/config/schema.ts';

const chart = join(import.meta.dirname, '../../charts/zen-watcher');
const mark = /^ ?-- ?/;

/** One value of the chart. */
interface Value {
  /** `image.tag`. */
  readonly path: string;
  readonly preset: unknown;
  readonly text: string;
}

/** All values that have a description, in the order of the file. Throws for a value that has none. */
export function chartValues(): readonly Value[] {
  const document = parseDocument(readFileSync(join(chart, 'values.yaml'), 'utf8'));
  if (!isMap(document.contents)) throw new Error('values.yaml is no mapping');
  return valuesOf(document.contents, '');
}

function valuesOf(map: YAMLMap, prefix: string): Value[] {
  return map.items.flatMap((pair: Pair, index): Value[] => {
    if (!isScalar(pair.key)) throw new Error('a key of values.yaml is no scalar');
    const path = `${prefix}${String(pair.key.value)}`;
    // The comment before the first key of a mapping belongs to the mapping, in the parser's eyes.
    const comment = pair.key.commentBefore ?? (index === 0 ? map.commentBefore : undefined) ?? '';
    const line = comment.split('\n').findLast((text) => mark.test(text));
    if (line !== undefined) return [{ path, preset: toPlain(pair.value), text: line.replace(mark, '') }];
    if (isMap(pair.value)) return valuesOf(pair.value, `${path}.`);
    throw new Error(`values.yaml: ${path} has no description (# -- ...)`);
  });
}

function toPlain(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'toJSON' in value
    ? (value as { toJSON(): unknown }).toJSON()
    : value;
}

/** README.md of the chart. `head` is its text before the table. */
export function chartReadme(head: string): string {
  const rows = chartValues().map(({ path, preset, text }) => {
    const shown = JSON.stringify(preset).replaceAll('|', '\\|');
    return `| \`${path}\` | ${text.replaceAll('|', '\\|')} | \`${shown}\` |\n`;
  });
  return `${head}\n| value | what | default |\n|---|---|---|\n${rows.join('')}`;
}

const string = { type: 'string' } as const;
const boolean = { type: 'boolean' } as const;
const freeObject = { type: 'object' } as const;
const freeList = { type: 'array' } as const;
const strings = { type: 'array', items: string } as const;
const objects = { type: 'array', items: freeObject } as const;
const switchOrAuto = { enum: [true, false, 'true', 'false', 'auto'] } as const;
const standard = { enum: ['privileged', 'baseline', 'restricted'] } as const;
const port = { type: 'integer', minimum: 1, maximum: 65535 } as const;
const quantity = { type: ['string', 'integer'] } as const;

/** Where a default does not say what a value may be. Every other value has the type of its default. */
const special: Readonly<Record<string, unknown>> = {
  namespaceOverride: { ...string, pattern: '^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$' },
  'namespace.create': switchOrAuto,
  'crd.install': switchOrAuto,
  'image.repository': { ...string, pattern: '^[a-z0-9.:/_-]+$' },
  'image.digest': { ...string, pattern: '^(sha256:[0-9a-f]{64})?$' },
  'image.pullPolicy': { enum: ['Always', 'IfNotPresent', 'Never'] },
  'imageVerification.provider': { enum: ['auto', 'kyverno', 'sigstore', 'none'] },
  'imageVerification.digests': { type: 'array', items: { ...string, pattern: '^sha256:[0-9a-f]{64}$' } },
  replicaCount: { type: 'integer', minimum: 0, maximum: 16 },
  'webhooks.tokens': { type: 'object', additionalProperties: string },
  podSecurityContext: freeObject,
  securityContext: freeObject,
  'podSecurityStandards.enforce': standard,
  'podSecurityStandards.audit': standard,
  'podSecurityStandards.warn': standard,
  'networkPolicy.flavor': { enum: ['kubernetes', 'cilium'] },
  'networkPolicy.mesh': { enum: ['none', 'istio', 'istio-ambient', 'linkerd'] },
  'networkPolicy.webhookSenders': objects,
  'networkPolicy.apiServer.cidrs': { type: 'array', items: { ...string, pattern: '^[0-9a-fA-F:.]+/[0-9]{1,3}$' } },
  'networkPolicy.apiServer.ports': { type: 'array', items: port, minItems: 1 },
  'networkPolicy.policyTypes': { type: 'array', items: { enum: ['Ingress', 'Egress'] } },
  'networkPolicy.ingress': objects,
  'networkPolicy.egress': objects,
  'admissionPolicy.validationActions': { type: 'array', items: { enum: ['Deny', 'Warn', 'Audit'] }, minItems: 1 },
  'admissionPolicy.deleteGroups': strings,
  'admissionPolicy.writers': strings,
  'rbac.additionalRules': objects,
  resources: freeObject,
  'resources.requests.cpu': quantity,
  'resources.requests.memory': quantity,
  'resources.limits.cpu': quantity,
  'resources.limits.memory': quantity,
  heapPercent: { type: 'integer', minimum: 10, maximum: 90 },
  startupProbe: freeObject,
  livenessProbe: freeObject,
  readinessProbe: freeObject,
  'service.type': { enum: ['ClusterIP', 'NodePort', 'LoadBalancer'] },
  'service.port': port,
  'service.webhookPort': port,
  'podDisruptionBudget.minAvailable': quantity,
  'podDisruptionBudget.maxUnavailable': quantity,
  'networkPolicy.dns.podLabels': freeObject,
};

/** Names of older charts in `config`. */
const eraConfig = {
  ...Object.fromEntries(
    ['watchNamespace', 'behaviorMode', 'logLevel', 'clusterId', 'clusterID'].map((name) => [name, string]),
  ),
  ...Object.fromEntries(
    ['falcoNamespace', 'trivyNamespace', 'kyvernoNamespace', 'kubeBenchNamespace', 'kubebenchNamespace'].map((name) => [
      name,
      string,
    ]),
  ),
  checkovNamespace: string,
  autoDetectEnabled: { type: ['boolean', 'string'] },
  ...Object.fromEntries(
    ['metricsPort', 'watcherPort', 'dedupWindow', 'falcoBufferSize', 'auditBufferSize'].map((name) => [
      name,
      { type: ['integer', 'string'] },
    ]),
  ),
};

type Schema = Record<string, unknown> & { properties: Record<string, unknown> };

/** values.schema.json: unknown names and wrong types are refused before anything is rendered. */
export function chartSchema(): unknown {
  const root: Schema = objectSchema('Values of the chart of zen-watcher.');
  for (const { path, preset, text } of chartValues()) put(root, path.split('.'), schemaOf(path, preset, text));
  // Helm's own, and what parents hand to all their charts.
  (root.properties['global'] as Schema)['additionalProperties'] = true;
  return { $schema: 'http://json-schema.org/draft-07/schema#', title: 'zen-watcher', ...root };
}

function objectSchema(description?: string): Schema {
  return { ...(description ? { description } : {}), type: 'object', additionalProperties: false, properties: {} };
}

function put(schema: Schema, [name = '', ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) {
    schema.properties[name] = value;
    return;
  }
  schema.properties[name] ??= objectSchema();
  put(schema.properties[name] as Schema, rest, value);
}

function schemaOf(path: string, preset: unknown, description: string): unknown {
  if (path === 'config') return { description, ...daemonSchema() };
  const found = special[path] ?? byPreset(path, preset);
  return { description, ...(found as object) };
}

function byPreset(path: string, preset: unknown): unknown {
  if (typeof preset === 'boolean') return boolean;
  if (typeof preset === 'string') return string;
  if (typeof preset === 'number') return { type: 'integer', minimum: 0 };
  if (Array.isArray(preset)) return path.endsWith('igs') ? objects : freeList;
  return freeObject;
}

/** The daemon's configuration as JSON Schema, with the names of older charts. */
function daemonSchema(): object {
  const {
    $schema: _draft,
    properties,
    ...schema
  } = z.toJSONSchema(configSchema, {
    io: 'input',
    target: 'draft-7',
    unrepresentable: 'any',
  });
  return { ...schema, properties: { ...properties, ...eraConfig } };
}
