/** Checks a value against the subset of OpenAPI v3 that src/api/schema.ts uses, as the API server would. */

interface Node {
  readonly type: string;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Node;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
}

/** What is wrong with the value, with its place; empty when it fits. */
export function schemaProblems(node: Node, value: unknown, place = ''): string[] {
  switch (node.type) {
    case 'string':
      return typeof value === 'string' ? textProblems(node, value, place) : [`${place} is no text`];
    case 'number':
    case 'integer':
      if (typeof value !== 'number' || !Number.isFinite(value)) return [`${place} is no number`];
      return value < (node.minimum ?? value) || value > (node.maximum ?? value) ? [`${place} is ${value}`] : [];
    case 'boolean':
      return typeof value === 'boolean' ? [] : [`${place} is no boolean`];
    case 'array': {
      if (!Array.isArray(value)) return [`${place} is no list`];
      const { items } = node;
      const tooMany = value.length > (node.maxItems ?? value.length) ? [`${place} has ${value.length} items`] : [];
      return [
        ...tooMany,
        ...value.flatMap((item, at) => (items ? schemaProblems(items, item, `${place}[${at}]`) : [])),
      ];
    }
    default:
      return objectProblems(node, value, place);
  }
}

function textProblems(node: Node, value: string, place: string): string[] {
  // The server counts code points.
  const { length } = [...value];
  const problems: string[] = [];
  if (length > (node.maxLength ?? length) || length < (node.minLength ?? 0))
    problems.push(`${place}: length ${length}`);
  if (node.enum && !node.enum.includes(value)) problems.push(`${place}: ${value} is no word of it`);
  if (node.pattern && !new RegExp(node.pattern).test(value)) problems.push(`${place}: ${value} does not match`);
  return problems;
}

function objectProblems(node: Node, value: unknown, place: string): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${place} is no object`];
  const entries = Object.entries(value);
  const problems = entries.length > (node.maxProperties ?? entries.length) ? [`${place} has too many members`] : [];
  for (const name of node.required ?? []) if (!Object.hasOwn(value, name)) problems.push(`${place}.${name} is missing`);
  for (const [name, member] of entries) {
    const child = node.properties?.[name];
    if (child !== undefined) problems.push(...schemaProblems(child, member, `${place}.${name}`));
    else if (node.properties && !node['x-kubernetes-preserve-unknown-fields'])
      problems.push(`${place}.${name} is unknown`);
  }
  return problems;
}
