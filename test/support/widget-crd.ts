/** A small CRD of a test's own on a real API server, and objects of it. */
import { randomBytes } from 'node:crypto';
import type { Rest, RestBody } from './rest.ts';
import { until } from './until.ts';

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

export class WidgetCrd {
  readonly group = `w${randomBytes(4).toString('hex')}.zen-test.example`;
  readonly resource = 'widgets';
  readonly #rest: Rest;

  constructor(rest: Rest) {
    this.#rest = rest;
  }

  /** Makes it and waits until each version can be listed. The first version is the one that is stored. */
  async serve(versions: readonly string[] = ['v1']): Promise<void> {
    const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
    const answer = await this.#rest.send('POST', definitions, {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `${this.resource}.${this.group}` },
      spec: {
        group: this.group,
        scope: 'Namespaced',
        names: { plural: this.resource, singular: 'widget', kind: 'Widget', listKind: 'WidgetList' },
        versions: versions.map((name, index) => ({ name, served: true, storage: index === 0, schema })),
      },
    });
    if (answer.code !== 201) throw new Error(`the CRD was not taken: ${answer.message}`);
    for (const version of versions) {
      const path = `/apis/${this.group}/${version}/${this.resource}`;
      await until(`${path} to be served`, async () => (await this.#rest.send('GET', path)).code === 200);
    }
  }

  /** Removes it with all its objects and waits until nothing of it is served. */
  async remove(version = 'v1'): Promise<void> {
    await this.#rest.send('DELETE', `${definitions}/${this.resource}.${this.group}`);
    const path = `/apis/${this.group}/${version}/${this.resource}`;
    await until(`${path} to vanish`, async () => (await this.#rest.send('GET', path)).code === 404);
    const name = `${definitions}/${this.resource}.${this.group}`;
    await until('the CRD to vanish', async () => (await this.#rest.send('GET', name)).code === 404);
  }

  async create(namespace: string, name: string, more: object = {}, version = 'v1'): Promise<RestBody> {
    const body = { apiVersion: `${this.group}/${version}`, kind: 'Widget', metadata: { name }, ...more };
    return (await this.#done('POST', this.#path(namespace, version), body)) as RestBody;
  }

  async change(namespace: string, name: string, patch: object): Promise<RestBody> {
    const answer = await this.#rest.send('PATCH', `${this.#path(namespace)}/${name}`, patch, 'merge');
    if (answer.code !== 200) throw new Error(`${name} was not changed: ${answer.message}`);
    return answer.body;
  }

  async delete(namespace: string, name: string): Promise<void> {
    await this.#done('DELETE', `${this.#path(namespace)}/${name}`);
  }

  #path(namespace: string, version = 'v1'): string {
    return `/apis/${this.group}/${version}/namespaces/${namespace}/${this.resource}`;
  }

  async #done(method: 'POST' | 'DELETE', path: string, body?: object): Promise<RestBody> {
    // A resource that is new may answer 429 until its storage is ready.
    return until(`${method} ${path}`, async () => {
      const answer = await this.#rest.send(method, path, body);
      if (answer.code === 429) return undefined;
      if (answer.code >= 300) throw new Error(`${answer.code} ${answer.message}`);
      return answer.body;
    });
  }
}
