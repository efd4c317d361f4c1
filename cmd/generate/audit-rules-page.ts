/** docs/sources/audit-rules.md: the default rules for the audit log as tables. */
import { controlPlaneUsers, defaultAuditExclusions } from '../../src/sources/audit-default-exclusions.ts';
import { defaultAuditRules } from '../../src/sources/audit-default-rules.ts';
import type { AuditMatch } from '../../src/sources/audit-rules.ts';

const head = `# The default rules for the audit log

Generated from \`src/sources/audit-default-*.ts\` by \`npm run generate\`. Do not edit: change these and generate again.

[audit.md](audit.md) says how rules work and how to change them.

## Rules

Of one event type the first that fits a request decides. Where no codes are given a request must have succeeded.

| rule | event type | severity | folded by | fits | why |
|---|---|---|---|---|---|
`;

const exclusionsHead = `
## Exclusions

What one of these fits is told by none of its rules.

| exclusion | of rules | fits | why |
|---|---|---|---|
`;

/** The whole page. */
export function auditRulesPage(): string {
  const rules = defaultAuditRules.map(({ name, eventType, severity, fold, match, why }) =>
    row(code([name]), eventType, severity, fold, inWords(match), why),
  );
  const exclusions = defaultAuditExclusions.map(({ name, rules: of, exceptRules, match, why }) =>
    row(
      code([name]),
      of === undefined ? `all${exceptRules ? ` but ${code(exceptRules)}` : ''}` : code(of),
      inWords(match),
      why,
    ),
  );
  return `${head}${rules.join('')}${exclusionsHead}${exclusions.join('')}
The accounts of the control plane: ${code(controlPlaneUsers)}.

Besides, always: zen-watcher's own account (\`audit.ownAccounts\`), and \`audit.secretReaders\` for \`secret-read\`.
`;
}

function row(...cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
}

function inWords(match: AuditMatch): string {
  return Object.entries(match)
    .map(([field, value]) => {
      if (value === controlPlaneUsers) return `${field}: those of the control plane`;
      if (typeof value === 'boolean') return field;
      return `${field}: ${Array.isArray(value) ? code(value) : code(Object.entries(value).map((pair) => pair.join('=')))}`;
    })
    .join('; ');
}

function code(words: readonly string[]): string {
  return words.map((word) => (word === '' ? '(none)' : `\`${word}\``)).join(', ');
}
