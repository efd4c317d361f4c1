/** docs/configuration.md and config/zen-watcher.schema.json, made from the schema of the configuration. */
import { eventTypes } from '../../src/api/words.ts';
import { ignoredVariables, settingVariables } from '../../src/config/environment.ts';
import type { SchemaKey, SchemaNode } from '../../src/config/json-schema.ts';
import { configJsonSchema, descriptionGaps, keysOf } from '../../src/config/json-schema.ts';

/** The JSON Schema as a file. Throws when a key has no words. */
export function configSchemaFile(): string {
  const { missing } = descriptionGaps();
  if (missing.length > 0) throw new Error(`src/config/descriptions.ts says nothing of ${missing.join(', ')}`);
  return `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`;
}

/** The reference for people. */
export function configDoc(): string {
  const schema = configJsonSchema();
  const keys = keysOf(schema, '');
  const sections = Object.keys(schema.properties ?? {}).map((section) => {
    const own = keys.filter(
      ({ path }) => path === section || (/^[.[]/.test(path.slice(section.length)) && path.startsWith(section)),
    );
    const [head] = own;
    const isLeaf = own.length === 1;
    const rows = (isLeaf ? own : own.slice(1)).filter(isShown).map(rowOf);
    return `## ${section}\n\n${head?.node.description ?? ''}\n\n| key | type | default | meaning |\n|---|---|---|---|\n${rows.join('\n')}\n`;
  });
  return `<!-- Generated from src/config by \`npm run generate\`. Do not edit: change src/config/schema.ts and descriptions.ts. -->
# Configuration

One YAML file (\`zen-watcher run --config FILE\`), then the environment, then flags: each over the one before. Everything has a
default; a key that does not exist is an error. \`zen-watcher config validate\` says all that is wrong at once,
\`zen-watcher config print\` what it comes to.

For editors there is a JSON Schema, [config/zen-watcher.schema.json](../config/zen-watcher.schema.json); with the YAML language
server: \`# yaml-language-server: $schema=.../config/zen-watcher.schema.json\` as the first line.

In paths, \`[]\` stands for each entry of a list and \`*\` for a name that is free.

${sections.join('\n')}
## Environment

| variable | sets |
|---|---|
${settingVariables.map(({ name, path, isAdded }) => `| \`${name}\` | \`${path}\`${isAdded ? ' (added to the list)' : ''} |`).join('\n')}

These of older versions set nothing any more; each says so once in the log:

| variable | why |
|---|---|
${ignoredVariables.map(({ name, why }) => `| \`${name}\` | ${why} |`).join('\n')}
`;
}

/** Thresholds by event type are one row. */
function isShown({ path, node }: SchemaKey): boolean {
  const isType = eventTypes.slice(1).some((type) => path === `thresholds.${type}`);
  const isGroup = node.properties !== undefined && path.endsWith('[]');
  return !isType && !isGroup && !path.endsWith('.*');
}

function rowOf({ path, node, isRequired }: SchemaKey): string {
  const isType = path === `thresholds.${eventTypes[0]}`;
  const shown = isType ? 'thresholds.<event type>' : path;
  const words = isType ? `For that type: ${eventTypes.join(', ')}.` : (node.description ?? '');
  const fallback = node.default === undefined ? (isRequired ? 'required' : '') : `\`${JSON.stringify(node.default)}\``;
  return `| ${[`\`${shown}\``, typeOf(node), fallback === '`{}`' ? '' : fallback, words].map(cell).join(' | ')} |`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

/** A type in words, with its bounds. */
function typeOf(node: SchemaNode): string {
  const { type, minimum, exclusiveMinimum, maximum, maxLength, maxItems } = node;
  if (node.enum !== undefined) return node.enum.length > 8 ? `one of ${node.enum.length} words` : node.enum.join(', ');
  const either = node.anyOf ?? node.oneOf;
  if (either !== undefined) return either.map(typeOf).join('; or ');
  if (type === 'array') return `list of up to ${maxItems ?? 'any number of'}: ${typeOf(node.items ?? {})}`;
  if (type === 'object') {
    const { additionalProperties } = node;
    return typeof additionalProperties === 'object' && additionalProperties.properties === undefined
      ? `map to ${typeOf(additionalProperties)}`
      : 'map';
  }
  const bounds = [
    ...(minimum === undefined ? [] : [`from ${minimum}`]),
    ...(exclusiveMinimum === undefined ? [] : [`above ${exclusiveMinimum}`]),
    ...(maximum === undefined ? [] : [`to ${maximum}`]),
    ...(maxLength === undefined ? [] : [`up to ${maxLength} characters`]),
  ].join(' ');
  return `${type ?? 'anything'}${bounds === '' ? '' : ` ${bounds}`}`;
}
