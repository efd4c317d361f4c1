/** The finding of a request that a rule tells of. Named facts only: never what was sent or answered. */
import { asList, asText, at } from '../lib/fields.ts';
import { firstFitting } from '../lib/text-fit.ts';
import { plausibleTime } from '../lib/times.ts';
import { privilegesOf } from './audit-pod.ts';
import { grantsOf, roleOf, subjectsOf } from './audit-rbac.ts';
import type { AuditRequest } from './audit-request.ts';
import { containerOf, isSession, outcomeOf, pathOf } from './audit-request.ts';
import { qualifiedResource, resourceOf } from './audit-resource.ts';
import type { AuditRule } from './audit-rules.ts';
import type { Description, Finding, IdentityPart, ResourceReference, SignalNature } from './source.ts';
import { summaryWidth } from './summary-width.ts';

export const auditSource = 'audit';

/** A request as one rule tells of it. */
export function auditFinding(request: AuditRequest, rule: AuditRule, now: Date): Finding {
  const resource = resourceOf(request, rule.fold);
  const facts = factsOf(request, rule);
  return {
    source: auditSource,
    eventType: rule.eventType,
    category: 'compliance',
    severity: rule.severity,
    rule: rule.name,
    resource,
    nature: natureOf(request, now),
    identity: () => identityOf(request, rule, resource, facts),
    describe: () => describe(request, rule, resource, facts),
  };
}

/** Once, however often the event is sent: the stages of a request have one id. */
function natureOf({ event }: AuditRequest, now: Date): SignalNature {
  const at = timeOf(event['stageTimestamp'], now) ?? timeOf(event['requestReceivedTimestamp'], now) ?? now;
  const id = asText(event['auditID']);
  return { kind: 'signal', occurrences: 1, at, ...(id === undefined ? {} : { occurrenceIds: [id] }) };
}

function timeOf(value: unknown, now: Date): Date | undefined {
  return plausibleTime(value, now);
}

/** What of the object is part of what was done. */
interface Facts {
  readonly privileges: readonly string[];
  readonly grants: readonly string[];
  readonly role: string;
}

const noFacts: Facts = { privileges: [], grants: [], role: '' };

function factsOf(request: AuditRequest, { eventType, fold }: AuditRule): Facts {
  if (fold === 'workload') return { ...noFacts, privileges: privilegesOf(request) };
  if (eventType !== 'rbac-change') return noFacts;
  return { ...noFacts, grants: grantsOf(request), role: roleOf(request) };
}

/** What of a verb counts for findings that are folded by namespace. */
const reading: readonly string[] = ['get', 'list', 'watch', 'head', 'options'];

function kindOfAccess(request: AuditRequest): string {
  if (isSession(request)) return 'session';
  if (request.verb.startsWith('delete')) return 'delete';
  return reading.includes(request.verb) ? 'read' : 'write';
}

function identityOf(
  request: AuditRequest,
  rule: AuditRule,
  resource: ResourceReference,
  { privileges, grants, role }: Facts,
): readonly IdentityPart[] {
  const { user, impersonated, namespace } = request;
  const what = qualifiedResource(request);
  switch (rule.fold) {
    case 'subject':
      return [user, impersonated];
    case 'namespace':
      return [kindOfAccess(request), outcomeOf(request), what, namespace, user, impersonated];
    case 'workload':
      return [{ ownerOf: resource }, privileges.join()];
    default:
      return [
        actionOf(request),
        outcomeOf(request),
        what,
        { ownerOf: resource },
        user,
        impersonated,
        grants.join(),
        role,
      ];
  }
}

/** The verb, but of sessions, whose verb is that of their protocol. */
function actionOf(request: AuditRequest): string {
  return isSession(request) ? request.subresource : request.verb;
}

function describe(
  request: AuditRequest,
  rule: AuditRule,
  resource: ResourceReference,
  { privileges, grants, role }: Facts,
): Description {
  const { fold } = rule;
  const isByObject = fold === 'object';
  const isBySubject = fold === 'subject';
  const isByWorkload = fold === 'workload';
  const what = isBySubject || isByWorkload ? undefined : qualifiedResource(request);
  return {
    title: titleOf(request, rule, resource, privileges),
    summary: summaryOf(request, rule, privileges),
    details: {
      rule: rule.name,
      user: isByWorkload ? undefined : request.user,
      impersonatedUser: isByWorkload ? undefined : request.impersonated,
      verb: isByObject ? actionOf(request) : undefined,
      access: fold === 'namespace' ? kindOfAccess(request) : undefined,
      requested: what,
      namespace: fold === 'namespace' ? request.namespace : undefined,
      outcome: what === undefined ? undefined : outcomeOf(request),
      privileges,
      grants,
      role,
    },
    observedOn: observed(request),
  };
}

/** Names that the server makes up, or that a rollout changes. */
const madeUpNames: readonly string[] = ['Pod', 'ReplicaSet', 'Job'];

/** The same for every occurrence: nothing of one request only. */
function titleOf(
  request: AuditRequest,
  { name, fold }: AuditRule,
  { kind, name: object }: ResourceReference,
  privileges: readonly string[],
): string {
  const { user, impersonated, namespace } = request;
  const place = namespace === '' ? '' : ` in ${namespace}`;
  const who = `${user || 'nobody known'}${impersonated === '' ? '' : ` as ${impersonated}`}`;
  if (fold === 'workload') return `${name}${place}: ${privileges.join(', ')}`;
  if (fold === 'subject') return `${name}: ${who}`;
  const what = qualifiedResource(request);
  if (fold === 'namespace') return `${name}: ${who}, ${kindOfAccess(request)} ${what}${place}`;
  const isNamed = request.name !== '' && !madeUpNames.includes(kind);
  return `${name}: ${who}, ${actionOf(request)} ${what}${isNamed ? ` ${object}` : ''}${place}`;
}

function summaryOf({ user }: AuditRequest, { name, fold }: AuditRule, privileges: readonly string[]): string {
  const width = summaryWidth(auditSource);
  if (fold === 'workload') {
    const more = `${privileges[0]} +${privileges.length - 1}`;
    return firstFitting([`${name}: ${privileges.join(', ')}`, `${name}: ${more}`, name], width);
  }
  if (user === '') return firstFitting([name], width);
  const short = user.replace(/^system:(?:serviceaccount:)?/, '');
  return firstFitting(
    [`${name} by ${user}`, `${name} by ${short}`, `${name} by ${short.split(':').at(-1)}`, name],
    width,
  );
}

function observed(request: AuditRequest): Readonly<Record<string, unknown>> {
  const { event, user, impersonated, verb, name, code, plural } = request;
  return {
    verb,
    name,
    container: isSession(request) ? containerOf(request) : undefined,
    path: plural === '' ? pathOf(request).slice(0, 256) : undefined,
    code,
    user,
    impersonatedUser: impersonated,
    subjects: subjectsIn(request),
    sourceIP: asText(asList(event['sourceIPs'])?.[0]),
    userAgent: asText(event['userAgent'])?.slice(0, 128),
    allowedBy: asText(at(event['annotations'], 'authorization.k8s.io/reason'))?.slice(0, 256),
    auditID: asText(event['auditID']),
    time: asText(event['stageTimestamp']),
  };
}

function subjectsIn(request: AuditRequest): readonly string[] {
  return request.plural.endsWith('rolebindings') ? subjectsOf(request) : [];
}
