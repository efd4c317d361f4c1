/** Doctor: whether the account may do everything that the daemon does, and nothing stands in for it. */
import type { KubeClient } from '../kube/client.ts';
import { at, textAt } from '../lib/fields.ts';
import { parseRecord } from '../lib/json.ts';
import type { Grant } from '../sources/rbac.ts';
import type { Check } from './doctor-check.ts';

/** Whom it is about: the account of the kubeconfig, or a service account `namespace/name`. */
export type Account = { readonly namespace: string; readonly name: string } | undefined;

/** One question to the authorizer. */
interface Question {
  readonly namespace?: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly name?: string;
  readonly verb: string;
}

const atATime = 4;

export interface AccessParts {
  readonly client: KubeClient;
  readonly grants: readonly Grant[];
  readonly account: Account;
  /** Of the events: where the daemon's service account is. */
  readonly namespace: string;
  /** The configuration file. */
  readonly config: string | undefined;
}

/** Asks for every verb on every resource of the grants. Throws KubeError when reviews cannot be made. */
export async function checkAccess(parts: AccessParts): Promise<Check> {
  const { client, grants, account } = parts;
  const questions = grants.flatMap(questionsOf);
  const denied: string[] = [];
  const waiting = [...questions];
  const ask = async () => {
    for (let question = waiting.shift(); question !== undefined; question = waiting.shift()) {
      const reason = await deniedReason(client, question, account);
      if (reason !== undefined) denied.push(`${inWords(question)}${reason === '' ? '' : ` (${reason})`}`);
    }
  };
  await Promise.all(Array.from({ length: atATime }, ask));
  const self = account === undefined ? await ownName(client) : undefined;
  const whose = account === undefined ? (self ?? 'this account') : userOf(account).user;
  if (denied.length === 0) {
    return {
      name: 'permissions',
      status: 'ok',
      says: `${whose} may do all ${questions.length} things that are needed`,
    };
  }
  return {
    name: 'permissions',
    status: 'fail',
    says: `${whose} may not do ${denied.length} of ${questions.length} things that are needed`,
    details: denied.toSorted(),
    fix: fixOf(parts, self),
  };
}

/** Who we are for the server; undefined where it does not say. */
async function ownName(client: KubeClient): Promise<string | undefined> {
  const resource = 'selfsubjectreviews';
  try {
    const { body } = await client.request({
      method: 'POST',
      path: `/apis/authentication.k8s.io/v1/${resource}`,
      verb: 'create',
      resource,
      body: JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }),
    });
    return textAt(parseRecord(body), 'status', 'userInfo', 'username');
  } catch {
    return undefined; // Only a name in a sentence.
  }
}

/** The command for this configuration and account, and what it makes. */
function fixOf({ account, namespace, config }: AccessParts, self: string | undefined): string {
  const [, , ofNamespace, ofName] = self?.startsWith('system:serviceaccount:') ? self.split(':') : [];
  const name = account?.name ?? ofName ?? 'zen-watcher';
  const words = [
    'zen-watcher rbac',
    ...(config === undefined ? [] : [`--config ${quoted(config)}`]),
    `--namespace ${account?.namespace ?? ofNamespace ?? namespace}`,
    ...(name === 'zen-watcher' ? [] : [`--service-account ${name}`]),
    '-o yaml | kubectl apply -f -',
  ];
  const person =
    account === undefined && ofName === undefined && self !== undefined
      ? `; if the daemon does not run as ${self}, ask for its account: --service-account ${namespace}/zen-watcher`
      : '';
  return `${words.join(' ')} (roles and their bindings; with the chart: rbac.create, and helm upgrade)${person}`;
}

function quoted(file: string): string {
  return /^[\w./-]+$/.test(file) ? file : `'${file.replaceAll("'", `'\\''`)}'`;
}

function questionsOf({ namespace, rules }: Grant): Question[] {
  return rules.flatMap(({ apiGroups, resources, verbs, resourceNames }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((path) =>
        verbs.flatMap((verb) =>
          (resourceNames ?? [undefined]).map((name) => {
            const [resource = '', subresource] = path.split('/');
            return {
              group,
              resource,
              verb,
              ...(namespace === undefined ? {} : { namespace }),
              ...(subresource === undefined ? {} : { subresource }),
              ...(name === undefined ? {} : { name }),
            };
          }),
        ),
      ),
    ),
  );
}

/** Why not, '' where no reason is given; undefined when it may. */
async function deniedReason(client: KubeClient, question: Question, account: Account): Promise<string | undefined> {
  const kind = account === undefined ? 'SelfSubjectAccessReview' : 'SubjectAccessReview';
  const resource = `${kind.toLowerCase()}s`;
  const spec = { resourceAttributes: question, ...(account === undefined ? {} : userOf(account)) };
  const { body } = await client.request({
    method: 'POST',
    path: `/apis/authorization.k8s.io/v1/${resource}`,
    verb: 'create',
    resource,
    body: JSON.stringify({ apiVersion: 'authorization.k8s.io/v1', kind, spec }),
  });
  const answer = parseRecord(body);
  return at(answer, 'status', 'allowed') === true ? undefined : (textAt(answer, 'status', 'reason') ?? '');
}

function userOf({ namespace, name }: NonNullable<Account>) {
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'];
  return { user: `system:serviceaccount:${namespace}:${name}`, groups };
}

/** `list vulnerabilityreports.aquasecurity.github.io in all namespaces` */
function inWords({ verb, group, resource, subresource, name, namespace }: Question): string {
  const what = [resource, subresource].filter(Boolean).join('/') + (group === '' ? '' : `.${group}`);
  const where = namespace === undefined ? 'in the whole cluster' : `in the namespace ${namespace}`;
  return `${verb} ${what}${name === undefined ? '' : ` ${name}`} ${where}`;
}
