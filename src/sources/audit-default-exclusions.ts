/** What is routine in every audit log. docs/sources/audit.md has it as a table, made from this. */
import { anonymous, workloads } from './audit-default-rules.ts';
import type { AuditExclusion } from './audit-rules.ts';

const privilegedPods = ['privileged-pod-kube-system', 'privileged-pod'];

/** The accounts of the control plane, and of its controllers where each has one of its own. */
export const controlPlaneUsers: readonly string[] = [
  ...['system:apiserver', 'system:kube-controller-manager', 'system:kube-scheduler', 'system:kube-proxy'],
  ...['system:cloud-controller-manager', 'system:aggregator', 'system:addon-manager', 'system:vpa-recommender'],
  ...[
    'attachdetach-controller',
    'certificate-controller',
    'clusterrole-aggregation-controller',
    'cronjob-controller',
    'daemon-set-controller',
    'deployment-controller',
    'device-taint-eviction-controller',
    'disruption-controller',
    'endpoint-controller',
    'endpointslice-controller',
    'endpointslicemirroring-controller',
    'ephemeral-volume-controller',
    'expand-controller',
    'generic-garbage-collector',
    'horizontal-pod-autoscaler',
    'job-controller',
    'kube-apiserver-serving-clustertrustbundle-publisher',
    'legacy-service-account-token-cleaner',
    'namespace-controller',
    'node-controller',
    'persistent-volume-binder',
    'pod-garbage-collector',
    'pv-protection-controller',
    'pvc-protection-controller',
    'replicaset-controller',
    'replication-controller',
    'resource-claim-controller',
    'resourcequota-controller',
    'root-ca-cert-publisher',
    'route-controller',
    'service-account-controller',
    'service-cidrs-controller',
    'service-controller',
    'statefulset-controller',
    'storage-version-garbage-collector',
    'storage-version-migrator-controller',
    'ttl-after-finished-controller',
    'ttl-controller',
    'validatingadmissionpolicy-status-controller',
  ].map((name) => `system:serviceaccount:kube-system:${name}`),
];

/** What is routine. */
export const defaultAuditExclusions: readonly AuditExclusion[] = [
  {
    name: 'control-plane',
    why: 'controllers do what objects say; who wrote the object is told. The Pods that they make are not excepted.',
    match: { users: controlPlaneUsers },
    exceptRules: privilegedPods,
  },
  {
    name: 'workload-controllers',
    why: 'ReplicaSets of a Deployment, Jobs of a CronJob: the workload itself and its Pods are told',
    match: { users: controlPlaneUsers, resources: workloads },
    rules: privilegedPods,
  },
  {
    name: 'kubelets',
    why: 'they read Secrets and make tokens for the Pods of their node, and mirrors of static Pods',
    match: { users: ['system:node:*'] },
  },
  {
    name: 'heartbeats',
    why: 'leases, Events and endpoints are written all the time; who asks what is allowed does nothing',
    match: {
      resources: ['leases', 'events', 'endpoints', 'endpointslices', 'tokenreviews', '*accessreviews', '*rulesreviews'],
    },
  },
  {
    name: 'own-events',
    why: 'the events that zen-watcher writes, and who reads or annotates them',
    match: { groups: ['zen.kube-zen.io'] },
  },
  {
    name: 'health-and-discovery',
    why: 'load balancers and clients ask without credentials whether and what the API server is',
    match: {
      resources: [''],
      verbs: ['get', 'head'],
      paths: [
        '/healthz*',
        '/livez*',
        '/readyz*',
        '/version',
        '/version/',
        '/api',
        '/apis',
        '/openid/v1/jwks',
        '/.well-known/*',
      ],
    },
  },
  {
    name: 'cluster-info',
    why: 'kubeadm reads it without credentials when a node joins',
    match: { resources: ['configmaps'], namespaces: ['kube-public'], names: ['cluster-info'], verbs: ['get'] },
    rules: ['anonymous-access'],
  },
  {
    name: 'anonymous',
    why: 'who is told as anonymous is not told as denied as well',
    match: { users: anonymous },
    rules: ['escalation-denied', 'sensitive-denied', 'admission-denied', 'denied', 'unauthenticated'],
  },
  {
    name: 'helm-releases',
    why: 'Helm keeps every revision in a Secret of its own',
    match: { resources: ['secrets'], names: ['sh.helm.release.v1.*'] },
    rules: ['secret-write'],
  },
  {
    name: 'secret-readers',
    why: 'accounts of kube-system read Secrets to do what they are there for; add yours to `secretReaders`',
    match: { users: ['system:serviceaccount:kube-system:*'] },
    rules: ['secret-read'],
  },
];
