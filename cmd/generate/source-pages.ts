/** The part of each page of docs/sources that follows from the source's data: how its reports come in, by which rights. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readsConfigMaps, sourceRules } from '../../src/sources/rbac.ts';
import { sources } from '../../src/sources/registry.ts';
import type { Source } from '../../src/sources/source.ts';
import { webhookPaths } from '../../src/sources/webhook-paths.ts';

const root = join(import.meta.dirname, '../..');
const begin = '<!-- Generated from src/sources by `npm run generate`. -->';
const end = '<!-- End of what is generated. -->';

/** The page of a source. */
export function sourcePage({ name }: Source): string {
  return `docs/sources/${name === 'policyreport' ? 'policy-report' : name}.md`;
}

/** The pages of all sources, with that part of each brought up to date. */
export function sourcePages() {
  return sources.map((source) => {
    const file = sourcePage(source);
    return { file, isPart: true, render: () => withPart(readFileSync(join(root, file), 'utf8'), waysIn(source)) };
  });
}

/** The page with the text between its marks; at its end where it has none yet. */
function withPart(page: string, part: string): string {
  const [before = '', rest] = page.split(`${begin}\n`);
  const after = rest?.split(`${end}\n`)[1] ?? '';
  const head = rest === undefined ? `${before.trimEnd()}\n\n` : before;
  return `${head}${begin}\n${part}${end}\n${after}`;
}

function waysIn(source: Source): string {
  const rows = [...watched(source), ...carried(source), ...sent(source), ...files(source)];
  const table = rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
  return `\n## Ways in, and the rights they need\n\n| way | what | rights |\n|---|---|---|\n${table}\n\n`;
}

function watched(source: Source): string[][] {
  return sourceRules(source).map(({ apiGroups, resources, verbs, why }) => [
    'watched',
    `${resources.map((word) => `\`${word}\``).join(', ')} (\`${apiGroups.join(', ') || 'core'}\`)`,
    `${verbs.map((verb) => `\`${verb}\``).join(', ')}: ${why.replace(`${source.title}: `, '')}`,
  ]);
}

function carried(source: Source): string[][] {
  if (!readsConfigMaps(source)) return [];
  const labels = `\`app=${source.name}\` or \`zen.kube-zen.io/source=${source.name}\``;
  return [
    [
      'ConfigMaps',
      `labelled ${labels}, in \`configMaps.namespaces\``,
      '`list`, `watch` on `configmaps` in these namespaces',
    ],
  ];
}

function sent(source: Source): string[][] {
  const paths = webhookPaths(source).map((path) => `\`POST ${path}\``);
  if (paths.length === 0) return [];
  return [
    [
      'webhook',
      paths.join(', '),
      `none in the cluster; a credential under \`webhooks.routes.${source.name}\` ([webhooks](../webhooks.md))`,
    ],
  ];
}

function files(source: Source): string[][] {
  return [
    ['files', '`zen-watcher scan`', source.intakes.length > 0 ? 'none (`kubectl get -o yaml` gives them)' : 'none'],
  ];
}
