/** All sources that zen-watcher has. Informers, RBAC rules, routes, docs and metric labels are computed from this list. */
import { kubernetesEvents } from './kubernetes-events.ts';
import { policyReport } from './policy-report.ts';
import type { Format, Source } from './source.ts';
import { trivy } from './trivy.ts';

export const sources: readonly Source[] = [trivy, policyReport, kubernetesEvents];

/** The source that reads the format. */
export function sourceOf(format: Format): Source | undefined {
  return sources.find(
    ({ intakes, formats: more }) => intakes.some((intake) => intake.format === format) || (more ?? []).includes(format),
  );
}

/** The formats of all sources, each once, in the order of the registry. */
export function formats(): readonly Format[] {
  return [
    ...new Set(sources.flatMap((source) => [...source.intakes.map(({ format }) => format), ...(source.formats ?? [])])),
  ];
}
