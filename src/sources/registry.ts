/** All sources that zen-watcher has. Informers, RBAC rules, routes, docs and metric labels are computed from this list. */

import { audit } from './audit.ts';
import { certManager } from './cert-manager.ts';
import { checkov } from './checkov.ts';
import { falco } from './falco.ts';
import { gatekeeper } from './gatekeeper.ts';
import { grype } from './grype.ts';
import { formatsOf } from './intakes.ts';
import { kubeBench } from './kube-bench.ts';
import { kubeHunter } from './kube-hunter.ts';
import { kubearmor } from './kubearmor.ts';
import { kubernetesEvents } from './kubernetes-events.ts';
import { kubescape } from './kubescape.ts';
import { neuvector } from './neuvector.ts';
import { polaris } from './polaris.ts';
import { policyReport } from './policy-report.ts';
import { popeye } from './popeye.ts';
import { sarif } from './sarif.ts';
import { sealedSecrets } from './sealed-secrets.ts';
import type { Format, Source } from './source.ts';
import { tetragon } from './tetragon.ts';
import { trivy } from './trivy.ts';
import { trivyCli } from './trivy-cli.ts';

export const sources: readonly Source[] = [
  trivy,
  policyReport,
  gatekeeper,
  certManager,
  sealedSecrets,
  kubernetesEvents,
  falco,
  audit,
  kubeBench,
  checkov,
  sarif,
  trivyCli,
  grype,
  kubescape,
  polaris,
  kubeHunter,
  popeye,
  kubearmor,
  neuvector,
  tetragon,
];

/** The source that reads the format. */
export function sourceOf(format: Format, among: readonly Source[] = sources): Source | undefined {
  return among.find((source) => formatsOf(source).includes(format));
}

/** The formats of all sources, each once, in the order of the registry. */
export function formats(): readonly Format[] {
  return [...new Set(sources.flatMap(formatsOf))];
}
