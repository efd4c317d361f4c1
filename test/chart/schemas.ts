/** JSON Schemas of the API server's kinds, from its own OpenAPI: strict, so that an unknown field is an error. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface Definition {
  type?: string;
  properties?: Record<string, unknown>;
  additionalProperties?: unknown;
  'x-kubernetes-group-version-kind'?: readonly {
    readonly group: string;
    readonly version: string;
    readonly kind: string;
  }[];
}

/** Writes them into a folder, laid out as kubeconform looks for them. `openApi` is the answer to /openapi/v2. */
export function writeSchemas(openApi: unknown, folder: string): number {
  const { definitions } = openApi as { readonly definitions: Record<string, Definition> };
  for (const [name, definition] of Object.entries(definitions)) {
    // A number or a string: OpenAPI v2 has no word for it.
    if (name.endsWith('.IntOrString') || name.endsWith('.Quantity')) {
      definitions[name] = { oneOf: [{ type: 'string' }, { type: 'number' }] } as Definition;
    } else if (definition.properties !== undefined && definition.additionalProperties === undefined) {
      definition.additionalProperties = false;
    }
  }
  const text = JSON.stringify({ definitions });
  writeFileSync(join(folder, '_definitions.json'), text);
  let count = 0;
  for (const [name, definition] of Object.entries(definitions)) {
    for (const { group, version, kind } of definition['x-kubernetes-group-version-kind'] ?? []) {
      const [first] = group.split('.');
      const file = [kind, ...(first ? [first] : []), version].join('-').toLowerCase();
      const schema = { $ref: `_definitions.json#/definitions/${name}` };
      writeFileSync(join(folder, `${file}.json`), JSON.stringify(schema));
      count += 1;
    }
  }
  return count;
}
