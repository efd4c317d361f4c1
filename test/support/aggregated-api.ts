/**
 * An API server of a tool's own behind the aggregation layer of a real kube-apiserver, with the habits of Kubescape's
 * (https://github.com/kubescape/storage): lists and watches have metadata only, an object is whole only by GET, there are no
 * streaming lists. It can be away for a while.
 */
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Stage } from './stage.ts';
import { until } from './until.ts';

const group = 'spdx.softwarecomposition.kubescape.io';
const version = 'v1beta1';
const root = `/apis/${group}/${version}`;
const kinds: Readonly<Record<string, string>> = {
  vulnerabilitymanifests: 'VulnerabilityManifest',
  workloadconfigurationscans: 'WorkloadConfigurationScan',
};

/** An object as the tool wrote it. */
export interface StoredObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string; readonly [member: string]: unknown };
  readonly [member: string]: unknown;
}

interface Watch {
  readonly resource: string;
  readonly response: ServerResponse;
}

export class AggregatedApi {
  readonly #server;
  readonly #objects = new Map<string, StoredObject>();
  readonly #watches = new Set<Watch>();
  /** `GET name` and `list resource`, in order. */
  readonly requests: string[] = [];
  #revision = 1;
  #isAway = false;

  /** `folder`: of the control plane, whose server's certificate is for `localhost` too. */
  private constructor(folder: string) {
    const [cert, key] = ['apiserver.crt', 'apiserver.key'].map((file) =>
      readFileSync(join(folder, 'certificates', file)),
    );
    this.#server = createServer({ cert, key }, (request, response) => this.#answer(request, response));
  }

  /** Starts it and makes the API server pass its group on to it. */
  static async start(stage: Stage): Promise<AggregatedApi> {
    const api = new AggregatedApi(stage.controlPlane.folder);
    await new Promise<void>((resolve) => api.#server.listen(0, '127.0.0.1', resolve));
    const { port } = api.#server.address() as AddressInfo;
    const namespace = await stage.namespace('kubescape');
    await stage.must(201, 'POST', `/api/v1/namespaces/${namespace}/services`, {
      metadata: { name: 'storage' },
      spec: { type: 'ExternalName', externalName: 'localhost', ports: [{ port, protocol: 'TCP' }] },
    });
    await stage.apply(`/apis/apiregistration.k8s.io/v1/apiservices/${version}.${group}`, {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name: `${version}.${group}` },
      spec: {
        group,
        version,
        service: { name: 'storage', namespace, port },
        insecureSkipTLSVerify: true,
        groupPriorityMinimum: 1000,
        versionPriority: 15,
      },
    });
    const path = `${root}/vulnerabilitymanifests`;
    await until(`${path} to be served`, async () => (await stage.rest.send('GET', path)).code === 200);
    return api;
  }

  /** While it is away every request is answered with 503, and watches end. */
  setAway(isAway: boolean): void {
    this.#isAway = isAway;
    if (isAway) for (const { response } of this.#watches) response.destroy();
  }

  put(object: StoredObject): void {
    const resource = resourceOf(object);
    const key = `${resource}/${object.metadata.namespace}/${object.metadata.name}`;
    const type = this.#objects.has(key) ? 'MODIFIED' : 'ADDED';
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#revision) } };
    this.#objects.set(key, stored);
    this.#tell(resource, type, stored);
  }

  remove(object: StoredObject): void {
    const resource = resourceOf(object);
    this.#objects.delete(`${resource}/${object.metadata.namespace}/${object.metadata.name}`);
    const metadata = { ...object.metadata, resourceVersion: String(++this.#revision) };
    this.#tell(resource, 'DELETED', { ...object, metadata });
  }

  async stop(): Promise<void> {
    for (const { response } of this.#watches) response.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #tell(resource: string, type: string, object: StoredObject): void {
    const line = `${JSON.stringify({ type, object: metadataOnly(object) })}\n`;
    for (const watch of this.#watches) if (watch.resource === resource) watch.response.write(line);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'https://localhost');
    if (this.#isAway) refuse(response, 503, 'ServiceUnavailable', 'it is away');
    else if (url.pathname === root) send(response, 200, resourceList());
    else if (url.pathname.startsWith(`${root}/`)) this.#answerAbout(url, response);
    else refuse(response, 404, 'NotFound', 'there is no such path');
  }

  #answerAbout(url: URL, response: ServerResponse): void {
    const words = url.pathname.slice(root.length + 1).split('/');
    const [namespace, resource = '', name] = words[0] === 'namespaces' ? words.slice(1) : [undefined, ...words];
    if (name !== undefined) this.#get(response, resource, `${resource}/${namespace}/${name}`, name);
    else if (url.searchParams.get('watch') === 'true') this.#watch(response, resource, url.searchParams);
    else this.#list(response, resource, Number(url.searchParams.get('continue') ?? 0));
  }

  #get(response: ServerResponse, resource: string, key: string, name: string): void {
    this.requests.push(`GET ${name}`);
    const object = this.#objects.get(key);
    if (object !== undefined) send(response, 200, { apiVersion: `${group}/${version}`, ...object });
    else {
      const details = { name, kind: resource, group };
      const message = `${resource} ${name} not found`;
      const status = { apiVersion: 'v1', kind: 'Status', status: 'Failure', code: 404, reason: 'NotFound' };
      send(response, 404, { ...status, message, details });
    }
  }

  /** One object a page: what comes first may be read before the rest is known. */
  #list(response: ServerResponse, resource: string, page: number): void {
    this.requests.push(`list ${resource}`);
    const items = [...this.#objects.values()].filter((object) => resourceOf(object) === resource);
    send(response, 200, {
      apiVersion: 'meta.k8s.io/v1',
      kind: 'PartialObjectMetadataList',
      metadata: {
        resourceVersion: String(this.#revision),
        ...(page + 1 < items.length ? { continue: String(page + 1) } : {}),
      },
      items: items.slice(page, page + 1).map(metadataOnly),
    });
  }

  #watch(response: ServerResponse, resource: string, query: URLSearchParams): void {
    if (query.has('sendInitialEvents')) {
      const message = 'sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled';
      refuse(response, 422, 'Invalid', message);
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    const watch = { resource, response };
    this.#watches.add(watch);
    response.once('close', () => this.#watches.delete(watch));
  }
}

function resourceOf({ kind }: StoredObject): string {
  return `${kind.toLowerCase()}s`;
}

function metadataOnly({ metadata }: StoredObject) {
  return { apiVersion: 'meta.k8s.io/v1', kind: 'PartialObjectMetadata', metadata };
}

function resourceList() {
  return {
    apiVersion: 'v1',
    kind: 'APIResourceList',
    groupVersion: `${group}/${version}`,
    resources: Object.entries(kinds).map(([name, kind]) => ({
      name,
      singularName: kind.toLowerCase(),
      namespaced: true,
      kind,
      verbs: ['get', 'list', 'watch'],
    })),
  };
}

function send(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function refuse(response: ServerResponse, code: number, reason: string, message: string): void {
  send(response, code, { apiVersion: 'v1', kind: 'Status', status: 'Failure', code, reason, message });
}
