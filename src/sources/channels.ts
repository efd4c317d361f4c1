/** Which kinds of reports fall silent or speak as a whole. */

import { resourceIntakes } from './intakes.ts';
import { reportKind } from './report-kind.ts';
import type { Source } from './source.ts';

/** The channel of a kind, `group|Kind`: the kind itself, unless the same reports come in several API groups. */
export function channelsOf(sources: readonly Source[]): (reportKind: string) => string {
  const channels = new Map<string, string>();
  for (const intake of sources.flatMap(resourceIntakes)) {
    if (intake.channel !== undefined) channels.set(reportKind(intake), intake.channel);
  }
  return (kind) => channels.get(kind) ?? kind;
}
