/** The JSON Schema of the configuration file, with words for every key: for editors and for docs/configuration.md. */
import * as z from 'zod/mini';
import { descriptions } from './descriptions.ts';
import { configSchema } from './schema.ts';

/** What of JSON Schema (2020-12) comes out of the configuration's schema. */
export interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: boolean | SchemaNode;
  readonly propertyNames?: SchemaNode;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
}

/** Keys of which src/config/descriptions.ts says nothing, and what it speaks of although there is no such key. */
export interface DescriptionGaps {
  readonly missing: readonly string[];
  readonly unused: readonly string[];
}

/** The whole schema. */
export function configJsonSchema(): SchemaNode {
  const schema = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as SchemaNode & {
    readonly $schema: string;
  };
  const { $schema, ...rest } = schema;
  const head = { $schema, title: 'zen-watcher configuration', description: 'docs/configuration.md' };
  return { ...head, ...withWords(rest, '') };
}

/** Which keys have no words, and which words no key. */
export function descriptionGaps(): DescriptionGaps {
  const paths = new Set(keysOf(configJsonSchema(), '').map(({ path }) => path));
  return {
    missing: [...paths].filter((path) => descriptions[path] === undefined),
    unused: Object.keys(descriptions).filter((path) => !paths.has(path)),
  };
}

/** A key by its path. */
export interface SchemaKey {
  readonly path: string;
  readonly node: SchemaNode;
  readonly isRequired: boolean;
}

/** All keys, each after the one that it is in. */
export function keysOf(node: SchemaNode, path: string, isRequired = false): SchemaKey[] {
  const own = path === '' ? [] : [{ path, node, isRequired }];
  const below = Object.entries(node.properties ?? {}).flatMap(([key, child]) =>
    keysOf(child, path === '' ? key : `${path}.${key}`, node.required?.includes(key)),
  );
  const { items, additionalProperties } = node;
  const entries = items?.properties === undefined && items?.anyOf === undefined ? [] : keysOf(items, `${path}[]`);
  const isGroup = typeof additionalProperties === 'object' && additionalProperties.properties !== undefined;
  const free = isGroup ? keysOf(additionalProperties, `${path}.*`) : [];
  return [...own, ...below, ...entries, ...free];
}

function withWords(node: SchemaNode, path: string): SchemaNode {
  const words = descriptions[path];
  const { properties, items, additionalProperties, maximum, ...rest } = node;
  return {
    ...(words === undefined ? {} : { description: words }),
    ...rest,
    // What a number cannot be beyond in any case says nothing.
    ...(maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? {} : { maximum }),
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(
            Object.entries(properties).map(([key, child]) => [
              key,
              withWords(child, path === '' ? key : `${path}.${key}`),
            ]),
          ),
        }),
    ...(items === undefined ? {} : { items: withWords(items, `${path}[]`) }),
    ...(additionalProperties === undefined
      ? {}
      : {
          additionalProperties:
            typeof additionalProperties === 'boolean'
              ? additionalProperties
              : withWords(additionalProperties, `${path}.*`),
        }),
  };
}
