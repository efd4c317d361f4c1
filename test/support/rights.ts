/** Rights compared with what was asked for: the roles on the server beside the API server's audit log. */
import { readFileSync } from 'node:fs';
import type { RoleRule } from '../../src/api/roles.ts';

/** One request of an account, as the audit log has it. */
export interface AuditedRequest {
  /** `list pods` or `patch zenagentevents.zen.kube-zen.io/status`. */
  readonly right: string;
  readonly name: string;
  readonly namespace: string;
  readonly code: number;
}

/** All requests of an account for resources so far; those for reviews of its own rights need none and are left out. */
export function requestsOf(auditLogPath: string, user: string): AuditedRequest[] {
  const lines = readFileSync(auditLogPath, 'utf8').split('\n');
  return lines.flatMap((line) => {
    if (!line.includes(`"username":"${user}"`)) return [];
    const { verb, objectRef, responseStatus, stage } = JSON.parse(line);
    if (objectRef?.resource === undefined || stage === 'RequestReceived') return [];
    const { apiGroup = '', resource, subresource, name = '', namespace = '' } = objectRef;
    const code = responseStatus?.code ?? 0;
    // A PUT that makes the object needs both rights, and is in the log as the one.
    const verbs = verb === 'update' && code === 201 ? ['update', 'create'] : [verb];
    return verbs.map((each) => ({ right: rightOf(each, apiGroup, resource, subresource), name, namespace, code }));
  });
}

function rightOf(verb: string, group: string, resource: string, subresource?: string): string {
  return `${verb} ${resource}${group === '' ? '' : `.${group}`}${subresource ? `/${subresource}` : ''}`;
}

/** Every right of some rules, each once. A `*` stays one. */
export function rightsOf(rules: readonly RoleRule[]): Set<string> {
  const rights = rules.flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((path) => {
        const [resource = '', subresource] = path.split('/');
        return verbs.map((verb) => rightOf(verb, group, resource, subresource));
      }),
    ),
  );
  return new Set(rights);
}

/** What is wrong: requests that were refused, and rights that nobody used. */
export function wrongRights(
  rules: readonly RoleRule[],
  requests: readonly AuditedRequest[],
): { readonly refused: string[]; readonly unused: string[] } {
  const refused = requests
    .filter(({ code }) => code === 403)
    .map(({ right, namespace }) => `${right} in '${namespace}'`);
  const used = new Set(requests.map(({ right }) => right));
  const isUsed = (right: string) => used.has(right) || (right.includes(' *.') && matches(right, used));
  return { refused: [...new Set(refused)], unused: [...rightsOf(rules)].filter((right) => !isUsed(right)) };
}

/** `list *.group` is used by `list any.group`. */
function matches(right: string, used: ReadonlySet<string>): boolean {
  const [verb = '', group = ''] = right.split(' *');
  return [...used].some((one) => one.startsWith(`${verb} `) && one.endsWith(group));
}
