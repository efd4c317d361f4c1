/** Which ConfigMaps are watched: by label, selected on the server, in the named namespaces only. */
import type { Source } from './sources/source.ts';
import type { WatchedCollection } from './watched-reports.ts';

/** Whose the records of ConfigMaps are in the reconciler: one may hold reports of several sources. */
export const configMapOwner = 'configmaps';

const sourceLabel = 'zen.kube-zen.io/source';

/** One selection of ConfigMaps, and the sources that read them. */
export interface ConfigMapCollection {
  readonly readers: readonly Source[];
  readonly collection: WatchedCollection;
}

/** Of all sources whose reports come as files together, and of each with a selector of its own. */
export function configMapCollections(
  sources: readonly Source[],
  namespaces: readonly string[],
): readonly ConfigMapCollection[] {
  const carried = sources.filter(({ formats = [] }) => formats.length > 0);
  const shared = carried.filter(({ configMapSelector }) => configMapSelector === undefined);
  const selections = [
    ...sharedSelectors(shared).map((selection) => ({ readers: shared, ...selection })),
    ...carried.flatMap((source) =>
      source.configMapSelector === undefined
        ? []
        : [{ readers: [source], by: source.name, selector: source.configMapSelector }],
    ),
  ];
  return namespaces.flatMap((namespace) =>
    selections.map(({ readers, by, selector }) => ({ readers, collection: configMaps(namespace, by, selector) })),
  );
}

/** A selector cannot say "or" of two labels: one selection for each. */
function sharedSelectors(sources: readonly Source[]) {
  if (sources.length === 0) return [];
  const names = sources.map(({ name }) => name).join(',');
  return [
    { by: 'app', selector: `app in (${names})` },
    { by: sourceLabel, selector: `${sourceLabel} in (${names}),app notin (${names})` },
  ];
}

function configMaps(namespace: string, selection: string, labelSelector: string): WatchedCollection {
  const configMap = { group: '', versions: ['v1'], resource: 'configmaps', kind: 'ConfigMap', namespaced: true };
  return { ...configMap, namespace, selection, labelSelector };
}
