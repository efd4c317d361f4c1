/** The CRDs of the tools, each in all the variants that there are, the tool's own first. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { LoadedReport } from './report-loader.ts';
import { intakeOf, makeNamespacesOf, refusal } from './report-loader.ts';
import { openFixtures } from './reports.ts';
import { definitionsIn, type Stage, standInFolder } from './stage.ts';

/** Which CRDs a file went in with, and why the ones before were not good enough. */
export interface Fit {
  readonly variant: string;
  readonly refusals: readonly string[];
}

const foldersByGroup: Readonly<Record<string, readonly string[]>> = {
  'aquasecurity.github.io': ['trivy-operator'],
  'wgpolicyk8s.io': ['wgpolicyk8s', 'wgpolicyk8s-v1beta1'],
  'openreports.io': ['openreports'],
};
const standIn = 'stand-in';

export class ToolCrds {
  readonly #stage: Stage;
  /** CRD -> the variant that is in place. */
  readonly #inPlace = new Map<string, string>();

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** Puts the first variant in place that takes the reports. There must be no others on the server. */
  async fit(reports: readonly LoadedReport[]): Promise<Fit> {
    const intakes = new Set(reports.map((report) => intakeOf(report)));
    const names = [...intakes].map((intake) => `${intake?.resource}.${intake?.group}`);
    const [group = ''] = [...intakes].map((intake) => intake?.group ?? '');
    const refusals: string[] = [];
    for (const variant of [...(foldersByGroup[group] ?? []), standIn]) {
      const folder = folderOf(variant);
      if (!existsSync(folder)) continue;
      await this.#use(variant, folder, names);
      await makeNamespacesOf(this.#stage, reports);
      const why = await refusal(this.#stage, reports);
      if (why === undefined) return { variant, refusals };
      refusals.push(`${variant}: ${why}`);
    }
    throw new Error(`no CRD takes them: ${refusals.join('; ')}`);
  }

  /** A stored version cannot leave a CRD: another variant means another CRD. */
  async #use(variant: string, folder: string, names: readonly string[]): Promise<void> {
    const others = names.filter((name) => this.#inPlace.get(name) !== variant);
    for (const name of others) if (this.#inPlace.has(name)) await this.#stage.undefine(name);
    await this.#stage.define(...definitionsIn(folder, others));
    for (const name of others) this.#inPlace.set(name, variant);
  }
}

function folderOf(variant: string): string {
  return variant === standIn ? standInFolder : join(openFixtures() ?? '', '../crds', variant);
}
