/**
 * Who makes policy reports: engines that evaluate policies, scanners, and adapters that copy what another tool found.
 * What tells two results of one policy apart differs between them.
 */
import type { Category } from '../api/words.ts';

/** Words for spec.source. Every other producer is `policyreport`, its own word stands in details.producer. */
export const producerSources = ['kyverno', 'kubewarden', 'validatingadmissionpolicy', 'policyreport'] as const;

/** A producer by the word it calls itself. */
export interface Producer {
  /** As written in the report. It is part of the identity: policies of different kinds may share a name. */
  readonly word: string;
  readonly source: (typeof producerSources)[number];
  /**
   * A policy engine: producer, policy, rule and resource make a result unique, and its message depends on the state of
   * the object. Everything else is a scanner or an adapter, whose policies can be mere headings.
   */
  readonly isEngine: boolean;
  /**
   * Kyverno's policies in CEL and the API server's admission policies have one result per policy and resource; `rule` is
   * absent or repeats the policy's name, depending on the version.
   */
  readonly hasRules: boolean;
  /** Copies events as they happen and drops the oldest: what is not in the report any more is not fixed. */
  readonly isEventLog: boolean;
  /** The source that reads what this adapter copies from the tool itself. */
  readonly copyOf: string | undefined;
}

/** The producer of a word. */
export function producerOf(word: string): Producer {
  const lower = word.toLowerCase();
  const source = sourceOf(lower);
  return {
    word,
    source,
    isEngine: source !== 'policyreport',
    hasRules: source !== 'validatingadmissionpolicy' && (source !== 'kyverno' || lower === 'kyverno'),
    isEventLog: eventLogs.some((tool) => lower.startsWith(tool)),
    copyOf: copied.find(([prefix]) => lower.startsWith(prefix))?.[1],
  };
}

/** KyvernoValidatingPolicy, KyvernoImageValidatingPolicy and their like are Kyverno's words for its newer kinds. */
function sourceOf(lower: string): Producer['source'] {
  if (lower.startsWith('kyverno')) return 'kyverno';
  return lower === 'kubewarden' || lower === 'validatingadmissionpolicy' ? lower : 'policyreport';
}

/** `Trivy Vulnerability`, `Trivy ConfigAudit`, ... are what its adapter writes; a producer called Trivy scans itself. */
const copied = [
  ['trivy ', 'trivy'],
  ['falco', 'falco'],
  ['kubearmor', 'kubearmor'],
] as const;

const eventLogs = ['falco', 'kubearmor', 'tetragon', 'tracee'];

/**
 * Properties that tell results of scanners and adapters apart, in the order in which they enter the identity. Of the
 * many that exist only those are here that stay the same from scan to scan: no container ids, pids, times, node names
 * or outputs.
 */
export const distinguishingProperties: readonly string[] = [
  // Scanners of images: Trivy's two adapters.
  'VulnerabilityID',
  'resource',
  'artifact.repository',
  // kube-bench: the number of the test, while `policy` is the heading of its section.
  'index',
  // KubeArmor; the Pod is in the resource.
  'container_name',
  'operation',
  // Falco by falcosidekick; the Pod is in the resource.
  'container.name',
  'container.image.repository',
  'proc.name',
  'user.name',
  'fd.name',
  'ka.verb',
  'ka.target.resource',
  'ka.target.name',
  'ka.user.name',
  // Audit events copied by Falco's first adapter.
  'user',
  'verb',
  'target',
];

/** The part of a distinguishing property that stays the same. Undefined where it says nothing. */
export function stableProperty(key: string, value: string, operation: string | undefined): string | undefined {
  switch (key) {
    case 'resource':
      // KubeArmor writes the command line of a process; its arguments can be temporary paths.
      return operation === 'Process' ? value.split(' ', 1)[0] : value;
    case 'fd.name':
      // A file, or the addresses and ports of a connection.
      return value.startsWith('/') ? value : undefined;
    case 'container.name':
      // cri-dockerd: k8s_<container>_<pod>_<namespace>_<uid>_<attempt>
      return value.startsWith('k8s_') ? value.split('_', 2)[1] : value;
    default:
      return value === '<NA>' ? undefined : value;
  }
}

/** Benchmarks and standards that a result's category may name. */
const benchmark =
  /\b(?:CIS|NSA|CISA|PCI|NIST|HIPAA|GDPR|STIG|FedRAMP|CMMC|HITRUST|BSI|SOC ?2|ISO[ -]?27\d{3}|800-190|800-53)\b/i;

/** Compliance where the category names a benchmark (`CIS Kubernetes Benchmark`, `PCI-DSS`), else security. */
export function categoryOf(word: string | undefined): Category {
  return word !== undefined && benchmark.test(word.slice(0, 256)) ? 'compliance' : 'security';
}
