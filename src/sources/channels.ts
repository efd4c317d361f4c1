/** Which kinds of reports fall silent or speak as a whole. */
import type { Source } from './source.ts';

/** The channel of a kind, `group|Kind`: the kind itself, unless the same reports come in several API groups. */
export function channelsOf(sources: readonly Source[]): (reportKind: string) => string {
  const channels = new Map<string, string>();
  for (const { group, kind, channel } of sources.flatMap(({ intakes }) => intakes)) {
    if (channel !== undefined) channels.set(`${group}|${kind}`, channel);
  }
  return (reportKind) => channels.get(reportKind) ?? reportKind;
}
