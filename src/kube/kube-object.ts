/** An object as the server sent it; only its metadata has been checked. */
export interface KubeObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly resourceVersion: string;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

/** Whether it can be told apart from others, and from other versions of itself. */
export function isKubeObject(value: unknown): value is KubeObject {
  const metadata = (value as { metadata?: { name?: unknown; namespace?: unknown; resourceVersion?: unknown } } | null)
    ?.metadata;
  return (
    typeof metadata?.name === 'string' &&
    metadata.name !== '' &&
    typeof metadata.resourceVersion === 'string' &&
    (metadata.namespace === undefined || typeof metadata.namespace === 'string')
  );
}

/** `namespace/name`; neither can hold a slash. */
export function keyOf(object: KubeObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
}

/** What keyOf() put together; the namespace is '' for what has none. */
export function splitKey(key: string): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf('/');
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
