/** Every file of the repository that is made from code. A new one is one more row here; tests and CI compare them all. */
import { stringify } from 'yaml';
import { customResourceDefinition } from '../../src/api/crd.ts';
import { clusterRole, peopleRoles } from '../../src/api/roles.ts';
import { auditRulesPage } from './audit-rules-page.ts';
import { chartRights } from './chart-files.ts';
import { chartHead } from './chart-readme.ts';
import { chartReadme, chartSchema } from './chart-values.ts';
import { configDoc, configSchemaFile } from './config-doc.ts';
import { dashboardFile, dashboards } from './dashboards.ts';
import { metricsDoc } from './metrics-doc.ts';
import { rbacDoc } from './rbac-doc.ts';
import { sourcePages } from './source-pages.ts';

/** A generated file: where it belongs, from the root of the repository, and what it must hold. */
export interface GeneratedFile {
  readonly file: string;
  /** Only a part of it is made from code: the rest is written by hand. */
  readonly isPart?: boolean;
  render(): string;
}

const chart = 'charts/zen-watcher';

/** The table that `npm run generate` writes and `npm run generate -- --check` compares. */
export const generatedFiles: readonly GeneratedFile[] = [
  { file: 'crds/zenagentevents.zen.kube-zen.io.yaml', render: () => yaml('src/api', customResourceDefinition()) },
  ...peopleRoles.map((role) => ({
    file: `config/rbac/${role.name}.yaml`,
    render: () => yaml('src/api/roles.ts', clusterRole(role)),
  })),
  { file: 'RBAC.md', render: rbacDoc },
  { file: `${chart}/files/crd.yaml`, render: () => yaml('src/api', customResourceDefinition()) },
  { file: `${chart}/files/rbac.yaml`, render: () => yaml('src/sources', chartRights()) },
  { file: `${chart}/values.schema.json`, render: () => `${JSON.stringify(chartSchema(), undefined, 2)}\n` },
  { file: `${chart}/README.md`, render: () => chartReadme(chartHead) },
  { file: 'config/zen-watcher.schema.json', render: configSchemaFile },
  { file: 'docs/configuration.md', render: configDoc },
  { file: 'docs/metrics.md', render: metricsDoc },
  ...dashboards.map((dashboard) => ({
    file: `${chart}/files/dashboards/${dashboard.uid.replace('zen-watcher-', '')}.json`,
    render: () => dashboardFile(dashboard),
  })),
  { file: 'docs/sources/audit-rules.md', render: auditRulesPage },
  ...sourcePages(),
];

function yaml(madeFrom: string, document: unknown): string {
  const head = `# Generated from ${madeFrom} by \`npm run generate\`. Do not edit: change ${madeFrom} and generate again.\n`;
  // Without anchors: Helm, kustomize and people copy parts of such files. Not folded: a CEL rule stays one line.
  return head + stringify(document, { aliasDuplicateObjects: false, lineWidth: 0, singleQuote: true });
}
