/** What kinds of reports are called where they are told apart: `group|Kind`. The version does not count. */
export function reportKind({ group, kind }: { readonly group: string; readonly kind: string }): string {
  return `${group}|${kind}`;
}
