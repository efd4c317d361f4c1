/** Kubescape: its operator's resources, its runtime alerts, the report of its command line. docs/sources/kubescape.md. */
import { grypeSeverityWords } from './grype-match.ts';
import { kubescapeCliReport } from './kubescape-cli.ts';
import { kubescapeConfigurationScan } from './kubescape-configuration.ts';
import { severityOfFactor } from './kubescape-control.ts';
import { kubescapeGroup, kubescapeVersions } from './kubescape-object.ts';
import { kubescapeRuntimeAlert } from './kubescape-runtime.ts';
import { kubescapeVulnerabilityManifest, manifestStanding } from './kubescape-vulnerabilities.ts';
import type { Format, ResourceIntake, Source } from './source.ts';

const name = 'kubescape';

/** Kubescape's own API server lists metadata only, and its watch is not that of etcd. */
function intake(kind: string, format: Format): ResourceIntake {
  return {
    via: 'resource',
    group: kubescapeGroup,
    versions: kubescapeVersions,
    resource: `${kind.toLowerCase()}s`,
    kind,
    namespaced: true,
    format,
    isReadOneByOne: true,
    isAggregated: true,
    // Labels say whom they are about, and manifests of images lie together in one namespace.
    speaksForOthers: true,
  };
}

export const kubescape: Source = {
  name,
  title: 'Kubescape',
  homepage: 'https://kubescape.io',
  emits: [name],
  eventTypes: [
    { eventType: 'misconfiguration', category: 'security' },
    { eventType: 'vulnerability', category: 'security' },
    { eventType: 'runtime-threat', category: 'security', nature: 'signal' },
  ],
  // Words of vulnerabilities, and the score factors of controls from 1 to 10, by Kubescape's own bounds.
  severityWords: {
    ...grypeSeverityWords,
    ...Object.fromEntries(Array.from({ length: 10 }, (_, at) => [String(at + 1), severityOfFactor(at + 1)])),
  },
  needsPods: true,
  intakes: [
    { ...intake('VulnerabilityManifest', kubescapeVulnerabilityManifest), standing: manifestStanding },
    intake('WorkloadConfigurationScan', kubescapeConfigurationScan),
  ],
  formats: [kubescapeCliReport, kubescapeRuntimeAlert],
  // Scans come once a day, and what was not scanned again is there until it is.
  graceSeconds: 2 * 60 * 60,
};
