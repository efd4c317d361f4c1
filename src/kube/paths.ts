/** A collection of the API, and the paths of it. */
export interface Collection {
  /** '' for the core group. */
  readonly group: string;
  readonly version: string;
  /** Plural name. */
  readonly resource: string;
  /** Only the objects of this namespace; absent: of all namespaces, or cluster-scoped ones. */
  readonly namespace?: string | undefined;
}

/** Query parameters; undefined ones are left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** `/apis/group/version[/namespaces/ns]/resource[/name][/subresource][?query]`. */
export function pathOf(
  collection: Collection,
  parts: { name?: string; subresource?: string; query?: Query } = {},
): string {
  const { group, version, resource, namespace } = collection;
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const within = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  const name = parts.name === undefined ? '' : `/${encodeURIComponent(parts.name)}`;
  const subresource = parts.subresource === undefined ? '' : `/${parts.subresource}`;
  return `${root}${within}/${resource}${name}${subresource}${queryString(parts.query ?? {})}`;
}

function queryString(query: Query): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined) search.set(key, String(value));
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}
