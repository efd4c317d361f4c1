/** The default rules for the audit log. docs/sources/audit.md has them as tables, made from this. */
import type { AuditRule } from './audit-rules.ts';

const rbacGroup = ['rbac.authorization.k8s.io'];
const admissionGroup = ['admissionregistration.k8s.io'];
const writes = ['create', 'update', 'patch'];
const deletes = ['delete', 'deletecollection'];
const networkPolicies = [
  ...['networkpolicies', 'adminnetworkpolicies', 'baselineadminnetworkpolicies', 'clusternetworkpolicies'],
  ...['ciliumnetworkpolicies', 'ciliumclusterwidenetworkpolicies', 'globalnetworkpolicies'],
];
const sessions = ['pods/exec', 'pods/attach', 'pods/portforward'];
/** What makes Pods. */
export const workloads: readonly string[] = [
  ...['deployments', 'daemonsets', 'statefulsets', 'replicasets', 'replicationcontrollers', 'jobs', 'cronjobs'],
  'podtemplates',
];
/** Groups of policies, certificates and sealed secrets: whoever removes them takes a guard away. */
const securityGroups = [
  ...[
    'kyverno.io',
    'policies.kyverno.io',
    'templates.gatekeeper.sh',
    'constraints.gatekeeper.sh',
    'config.gatekeeper.sh',
  ],
  ...[
    'policies.kubewarden.io',
    'policy.sigstore.dev',
    'security.istio.io',
    'policy.linkerd.io',
    'security.kubearmor.com',
  ],
  ...['neuvector.com', 'cert-manager.io', 'bitnami.com', 'external-secrets.io', 'aquasecurity.github.io'],
];
/** Whom the API server does not know. */
export const anonymous: readonly string[] = ['system:anonymous'];

const deletions: readonly AuditRule[] = [
  {
    name: 'namespace-deletion',
    why: 'everything in a namespace goes with it',
    match: { verbs: deletes, groups: [''], resources: ['namespaces'] },
    eventType: 'resource-deletion',
    severity: 'high',
    fold: 'object',
  },
  {
    name: 'crd-deletion',
    why: 'all objects of its kind go with it',
    match: { verbs: deletes, groups: ['apiextensions.k8s.io'], resources: ['customresourcedefinitions'] },
    eventType: 'resource-deletion',
    severity: 'high',
    fold: 'object',
  },
  {
    name: 'admission-deletion',
    why: 'nothing checks any more what it checked',
    match: { verbs: deletes, groups: admissionGroup, resources: ['*'] },
    eventType: 'resource-deletion',
    severity: 'high',
    fold: 'object',
  },
  {
    name: 'rbac-deletion',
    why: 'somebody loses rights',
    match: { verbs: deletes, groups: rbacGroup, resources: ['*'] },
    eventType: 'resource-deletion',
    severity: 'medium',
    fold: 'object',
  },
  {
    name: 'network-policy-deletion',
    why: 'what it kept apart is not kept apart any more',
    match: { verbs: deletes, resources: networkPolicies },
    eventType: 'resource-deletion',
    severity: 'medium',
    fold: 'object',
  },
  {
    name: 'security-object-deletion',
    why: 'policies, certificates and sealed secrets of security tools',
    match: { verbs: deletes, groups: securityGroups, resources: ['*'] },
    eventType: 'resource-deletion',
    severity: 'medium',
    fold: 'object',
  },
  {
    name: 'tracing-policy-deletion',
    why: 'Tetragon does not watch for it any more',
    match: { verbs: deletes, groups: ['cilium.io'], resources: ['tracingpolicies', 'tracingpoliciesnamespaced'] },
    eventType: 'resource-deletion',
    severity: 'medium',
    fold: 'object',
  },
  {
    name: 'account-or-quota-deletion',
    why: 'accounts of workloads, and the bounds of what they may use',
    match: { verbs: deletes, groups: [''], resources: ['serviceaccounts', 'resourcequotas', 'limitranges'] },
    eventType: 'resource-deletion',
    severity: 'medium',
    fold: 'object',
  },
];

const secrets: readonly AuditRule[] = [
  {
    name: 'secret-write',
    why: 'a Secret was made, changed or removed',
    match: { verbs: [...writes, ...deletes], groups: [''], resources: ['secrets'] },
    eventType: 'secret-access',
    severity: 'medium',
    fold: 'object',
  },
  {
    name: 'service-account-token',
    why: 'a token was made with which anybody acts as the account',
    match: { verbs: ['create'], groups: [''], resources: ['serviceaccounts/token'] },
    eventType: 'secret-access',
    severity: 'medium',
    fold: 'object',
  },
  {
    name: 'secret-read',
    why: 'Secrets were read by somebody who is not among `secretReaders`',
    match: { verbs: ['get', 'list', 'watch'], groups: [''], resources: ['secrets'] },
    eventType: 'secret-access',
    severity: 'medium',
    fold: 'namespace',
  },
];

const rights: readonly AuditRule[] = [
  {
    name: 'rbac-escalation',
    why: 'gives the whole cluster, gives to everyone, or gives the right to take more rights (where the policy records objects)',
    match: { verbs: writes, groups: rbacGroup, resources: ['*'], grants: ['*'] },
    eventType: 'rbac-change',
    severity: 'critical',
    fold: 'object',
  },
  {
    name: 'rbac-write',
    why: 'a Role or a binding was made or changed',
    match: { verbs: writes, groups: rbacGroup, resources: ['*'] },
    eventType: 'rbac-change',
    severity: 'high',
    fold: 'object',
  },
  {
    name: 'admission-write',
    why: 'what is checked at admission changes: also a webhook that sees every Secret',
    match: { verbs: writes, groups: admissionGroup, resources: ['*'] },
    eventType: 'admission-change',
    severity: 'high',
    fold: 'object',
  },
  {
    name: 'network-policy-write',
    why: 'who may talk to whom changes',
    match: { verbs: writes, resources: networkPolicies },
    eventType: 'network-policy-change',
    severity: 'medium',
    fold: 'object',
  },
];

const pods: readonly AuditRule[] = [
  {
    name: 'privileged-pod-kube-system',
    why: 'the same in kube-system, where networks and proxies are such',
    match: {
      verbs: writes,
      resources: ['pods', 'pods/ephemeralcontainers', ...workloads],
      namespaces: ['kube-system'],
      privileges: ['*'],
    },
    eventType: 'privileged-pod-creation',
    severity: 'medium',
    fold: 'workload',
  },
  {
    name: 'privileged-pod',
    why: 'a Pod, or a workload of such Pods, that is privileged, is in a namespace of its node, mounts its files or has more capabilities; also one that the audit log left out for its size',
    match: { verbs: writes, resources: ['pods', 'pods/ephemeralcontainers', ...workloads], privileges: ['*'] },
    eventType: 'privileged-pod-creation',
    severity: 'high',
    fold: 'workload',
  },
];

const intoPods: readonly AuditRule[] = [
  {
    name: 'exec',
    why: 'a command was run in a container',
    match: { verbs: ['get', 'create'], groups: [''], resources: ['pods/exec'] },
    eventType: 'exec',
    severity: 'high',
    fold: 'object',
  },
  {
    name: 'attach',
    why: 'somebody attached to a container',
    match: { verbs: ['get', 'create'], groups: [''], resources: ['pods/attach'] },
    eventType: 'exec',
    severity: 'high',
    fold: 'object',
  },
  {
    name: 'ephemeral-container',
    why: 'a container was put into a running Pod (kubectl debug)',
    match: { verbs: ['update', 'patch'], groups: [''], resources: ['pods/ephemeralcontainers'] },
    eventType: 'exec',
    severity: 'high',
    fold: 'object',
  },
  {
    name: 'port-forward',
    why: 'a port of a Pod was reached past every network policy',
    match: { verbs: ['get', 'create'], groups: [''], resources: ['pods/portforward'] },
    eventType: 'exec',
    severity: 'medium',
    fold: 'object',
  },
  {
    name: 'session-failed',
    why: 'allowed, and failed: the Pod does not run, its node cannot be reached',
    match: { verbs: ['get', 'create'], groups: [''], resources: sessions, codes: ['400', '402', '404-599'] },
    eventType: 'exec',
    severity: 'low',
    fold: 'object',
  },
];

const subjects: readonly AuditRule[] = [
  {
    name: 'impersonation',
    why: 'somebody acted as somebody else, whatever came of it',
    match: { impersonated: true, codes: ['100-599'] },
    eventType: 'impersonation',
    severity: 'medium',
    fold: 'subject',
  },
  {
    name: 'anonymous-access',
    why: 'the API server answered somebody whom it does not know',
    match: { users: anonymous },
    eventType: 'anonymous-access',
    severity: 'high',
    fold: 'namespace',
  },
  {
    name: 'anonymous-denied',
    why: 'somebody whom it does not know tried',
    match: { users: anonymous, codes: ['401', '403'] },
    eventType: 'anonymous-access',
    severity: 'low',
    fold: 'namespace',
  },
  {
    name: 'escalation-denied',
    why: 'rights were to be given that the giver does not have, or must not give',
    match: { verbs: writes, groups: rbacGroup, resources: ['*'], codes: ['403'] },
    eventType: 'access-denied',
    severity: 'high',
    fold: 'namespace',
  },
  {
    name: 'sensitive-denied',
    why: 'Secrets, tokens, sessions or admission were tried in vain',
    match: {
      resources: ['secrets', 'serviceaccounts/token', ...sessions, 'pods/ephemeralcontainers', 'nodes/proxy'],
      codes: ['403'],
    },
    eventType: 'access-denied',
    severity: 'medium',
    fold: 'namespace',
  },
  {
    name: 'admission-denied',
    why: 'a change of what is checked at admission was tried in vain',
    match: { verbs: [...writes, ...deletes], groups: admissionGroup, resources: ['*'], codes: ['403'] },
    eventType: 'access-denied',
    severity: 'medium',
    fold: 'namespace',
  },
  {
    name: 'denied',
    why: 'anything else that was forbidden, by the authorizer or at admission',
    match: { codes: ['403'] },
    eventType: 'access-denied',
    severity: 'low',
    fold: 'namespace',
  },
  {
    name: 'unauthenticated',
    why: 'credentials that are not valid (any more)',
    match: { codes: ['401'] },
    eventType: 'access-denied',
    severity: 'low',
    fold: 'subject',
  },
];

/** In order: of one event type the first that fits decides. */
export const defaultAuditRules: readonly AuditRule[] = [
  ...deletions,
  ...secrets,
  ...rights,
  ...pods,
  ...intoPods,
  ...subjects,
];
