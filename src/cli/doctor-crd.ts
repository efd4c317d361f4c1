/** Doctor: whether the CRD of the events is served, and whether it is that of this version. */
import { group, kind, plural, version } from '../api/event.ts';
import { eventSchema } from '../api/schema.ts';
import type { KubeClient } from '../kube/client.ts';
import type { ServedResources } from '../kube/discovery.ts';
import { KubeError } from '../kube/kube-error.ts';
import { messageOf } from '../lib/error-message.ts';
import { asList, at, textAt } from '../lib/fields.ts';
import { canonicalJson } from '../lib/hash.ts';
import { parseRecord } from '../lib/json.ts';
import type { Check } from './doctor-check.ts';

/** Of the repository, and of the chart for whoever has no other. */
export const applyCrd =
  'kubectl apply --server-side -f crds/ (with the chart: helm upgrade; or helm template RELEASE CHART --set crd.install=true --show-only templates/crd.yaml | kubectl apply --server-side -f -)';

type Schema = Readonly<Record<string, unknown>>;

/** Words about a schema, or taken apart one by one. */
const notCompared = ['description', 'title', 'example', 'properties', 'items', 'additionalProperties'];
/** Lists in any order. */
const sets = ['enum', 'required', 'x-kubernetes-list-map-keys'];

/** What is served is published as OpenAPI for everybody who may discover the API: a CRD itself may be read by few. */
export async function checkCrd(client: KubeClient, served: ServedResources): Promise<Check> {
  const name = `${plural}.${group}`;
  const versions = served.get(`${group}/${plural}`)?.versions ?? [];
  if (!versions.includes(version)) {
    const says = versions.length === 0 ? `${name} is not served` : `${name} is served as ${versions.join(', ')} only`;
    return { name: 'crd', status: 'fail', says, fix: applyCrd };
  }
  const says = `${name} ${version} is served`;
  let published: Schema | undefined;
  try {
    published = await publishedSchema(client);
  } catch (error) {
    return { name: 'crd', status: 'ok', says: `${says}; its schema could not be compared: ${messageOf(error)}` };
  }
  if (published === undefined) {
    return { name: 'crd', status: 'ok', says: `${says}; its schema is not published (yet) and was not compared` };
  }
  const details = [...differences(eventSchema, published)];
  if (details.length === 0) return { name: 'crd', status: 'ok', says: `${says}, with the schema of this version` };
  return {
    name: 'crd',
    status: 'warn',
    says: `${says}, but not with the schema of this version: events may be refused or lose fields`,
    details,
    fix: applyCrd,
  };
}

/** Undefined: not published. A server publishes a CRD's schema some seconds after it serves the CRD. */
async function publishedSchema(client: KubeClient): Promise<Schema | undefined> {
  const path = `/openapi/v3/apis/${group}/${version}`;
  const answer = await client
    .request({ method: 'GET', path, verb: 'get', resource: 'openapi' })
    .catch((error: unknown) => {
      if (error instanceof KubeError && error.status === 404) return undefined;
      throw error;
    });
  if (answer === undefined) return undefined;
  const schemas = Object.values((at(parseRecord(answer.body), 'components', 'schemas') ?? {}) as Schema);
  return schemas.find((schema) =>
    asList(at(schema, 'x-kubernetes-group-version-kind'))?.some((each) => textAt(each, 'kind') === kind),
  ) as Schema | undefined;
}

/** What is otherwise in the schema of the server, by place. Only `spec` and `status` of the whole are ours. */
export function* differences(ours: Schema, theirs: Schema): Generator<string> {
  for (const keyword of ['required', 'x-kubernetes-validations']) {
    if (canonical(ours, keyword) !== canonical(theirs, keyword)) yield `${keyword} is another`;
  }
  for (const part of ['spec', 'status'])
    yield* differ(at(ours, 'properties', part), at(theirs, 'properties', part), part);
}

function* differ(ours: unknown, theirs: unknown, place: string): Generator<string> {
  if (!isSchema(ours) || !isSchema(theirs)) {
    if (canonicalJson(ours) !== canonicalJson(theirs)) {
      yield `${place}: ${theirs === undefined ? 'is missing in it' : ours === undefined ? 'is not known to this version' : 'is another'}`;
    }
    return;
  }
  const keywords = [...new Set([...Object.keys(ours), ...Object.keys(theirs)])];
  for (const keyword of keywords.filter((each) => !notCompared.includes(each))) {
    if (canonical(ours, keyword) !== canonical(theirs, keyword)) yield `${place}: ${keyword} is another`;
  }
  const [mine, served] = [ours, theirs].map((schema) => (isSchema(schema['properties']) ? schema['properties'] : {}));
  for (const name of new Set([...Object.keys(mine ?? {}), ...Object.keys(served ?? {})])) {
    yield* differ(mine?.[name], served?.[name], `${place}.${name}`);
  }
  yield* differ(ours['items'], theirs['items'], `${place}[]`);
  yield* differ(ours['additionalProperties'], theirs['additionalProperties'], `${place}.*`);
}

function canonical(schema: Schema, keyword: string): string {
  const value = schema[keyword];
  return canonicalJson(sets.includes(keyword) && Array.isArray(value) ? value.map(String).toSorted() : value);
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
