/** Plain requests to the API server, for what kubectl hides: status codes, warnings, subresources, field managers. */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import type { ControlPlane } from '../cluster/control-plane.ts';

/** What tests read of an object or of the Status of a refusal. */
export interface RestBody {
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly resourceVersion: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly managedFields?: readonly { readonly manager: string; readonly fieldsV1: unknown }[];
  };
  // biome-ignore lint/suspicious/noExplicitAny: tests look at any field; a wrong one fails the test.
  readonly [field: string]: any;
}

export interface RestAnswer {
  readonly code: number;
  /** The texts of the server's Warning headers. */
  readonly warnings: readonly string[];
  /** The server's words where it refused, else ''. */
  readonly message: string;
  readonly body: RestBody;
}

export type Verb = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** `merge` and `apply` are the kinds of PATCH; every other body is plain JSON. */
const contentTypes = {
  json: 'application/json',
  merge: 'application/merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;

/** A client with a connection pool of its own; close it, or the test's process does not end. */
export class Rest {
  readonly #server: string;
  readonly #token: string;
  readonly #agent: Agent;

  constructor(controlPlane: ControlPlane, token = controlPlane.adminToken) {
    this.#server = controlPlane.server;
    this.#token = token;
    this.#agent = new Agent({ connect: { ca: readFileSync(controlPlane.caPath) } });
  }

  async send(method: Verb, path: string, body?: unknown, as: keyof typeof contentTypes = 'json'): Promise<RestAnswer> {
    const answer = await request(this.#server + path, {
      dispatcher: this.#agent,
      method,
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': contentTypes[as] },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const warnings = [answer.headers['warning'] ?? []].flat();
    const json = parse(await answer.body.text());
    return { code: answer.statusCode, warnings, message: json['message'] ?? '', body: json };
  }

  close(): Promise<void> {
    return this.#agent.close();
  }
}

/** An API that is not served at all is refused in plain words. */
function parse(text: string): RestBody {
  try {
    return JSON.parse(text) as RestBody;
  } catch {
    return { metadata: { name: '', resourceVersion: '' }, message: text.trim() };
  }
}
