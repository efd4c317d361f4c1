/** ConfigMaps with reports, as tools and people leave them. */
import { gzipSync } from 'node:zlib';
import type { Stage } from './stage.ts';

/** Longer texts are compressed: a ConfigMap takes 1 MiB. */
const longestPlainText = 500_000;

/** What is put into one ConfigMap. */
export interface ConfigMapContent {
  readonly namespace: string;
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Key to text. Those that are long, or end in `.gz`, go to binaryData. */
  readonly texts: Readonly<Record<string, string>>;
}

/** Makes the ConfigMap what is given, whether it is there or not. */
export async function putConfigMap(stage: Stage, content: ConfigMapContent): Promise<void> {
  const { namespace, name, labels = {}, annotations = {}, texts } = content;
  const isPacked = ([key, text]: readonly [string, string]) => key.endsWith('.gz') || text.length > longestPlainText;
  const entries = Object.entries(texts);
  const packed = entries.filter(isPacked).map(([key, text]) => [key, gzipSync(text).toString('base64')]);
  await stage.apply(pathOf(namespace, name), {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace, labels, annotations },
    data: Object.fromEntries(entries.filter((entry) => !isPacked(entry))),
    binaryData: Object.fromEntries(packed),
  });
}

/** Deletes the ConfigMap. */
export async function removeConfigMap(stage: Stage, namespace: string, name: string): Promise<void> {
  await stage.must(200, 'DELETE', pathOf(namespace, name));
}

function pathOf(namespace: string, name: string): string {
  return `/api/v1/namespaces/${namespace}/configmaps/${name}`;
}
