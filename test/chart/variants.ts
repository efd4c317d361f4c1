/** Values that the checks and tests of the chart go through: the README's, and every switch at least once. */

/** By what it is about. */
export const variants: Readonly<Record<string, object>> = {
  'the README': {
    networkPolicy: { enabled: true },
    podSecurityStandards: { enabled: true },
    image: { verifySignature: true },
  },
  'as it is': {},
  'one replica': { replicaCount: 1 },
  autoscaling: { autoscaling: { enabled: true, minReplicas: 2 } },
  'events by resource': { config: { events: { placement: 'resource' } } },
  'events brought home': { config: { events: { migrate: true } } },
  'no sources': { config: { sources: { trivy: { enabled: false }, policyreport: { enabled: false } } } },
  'everything on': {
    replicaCount: 3,
    global: { clusterID: 'prod', imagePullSecrets: [{ name: 'pull' }] },
    image: { digest: `sha256:${'0'.repeat(64)}` },
    webhooks: { tokens: { falco: 'falco-tokens' }, tlsSecret: 'tls' },
    networkPolicy: {
      enabled: true,
      mesh: 'linkerd',
      apiServer: { cidrs: ['10.0.0.0/28'] },
      webhookSenders: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'falco' } } }],
    },
    dashboards: { enabled: true },
    resourceQuota: { enabled: true },
    flowSchema: { enabled: true },
    priorityClassName: 'system-cluster-critical',
    tolerations: [{ key: 'a', operator: 'Exists' }],
    nodeSelector: { 'kubernetes.io/os': 'linux' },
    extraEnv: [{ name: 'LOG_LEVEL', value: 'debug' }],
    extraVolumes: [{ name: 'extra', configMap: { name: 'extra' } }],
    extraVolumeMounts: [{ name: 'extra', mountPath: '/extra', readOnly: true }],
    commonLabels: { team: 'security' },
    commonAnnotations: { note: 'ours' },
    podLabels: { tier: 'platform' },
    podAnnotations: { 'example.com/a': 'b' },
  },
  'Istio ambient': { networkPolicy: { enabled: true, mesh: 'istio-ambient' } },
  Istio: { networkPolicy: { enabled: true, mesh: 'istio' }, image: { verifySignature: true } },
  'kinds of other projects': {
    networkPolicy: { enabled: true, flavor: 'cilium' },
    serviceMonitor: { enabled: true },
    victoriametricsScrape: { enabled: true },
    prometheusRule: { enabled: true },
    image: { verifySignature: true },
    imageVerification: { provider: 'kyverno' },
  },
};

/** Kinds whose schemas are not the API server's: kubeconform skips them. */
export const foreignKinds = [
  'CiliumNetworkPolicy',
  'ClusterImagePolicy',
  'ImageValidatingPolicy',
  'PrometheusRule',
  'ServiceMonitor',
  'VMServiceScrape',
];
