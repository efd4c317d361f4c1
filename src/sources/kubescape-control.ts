/** A control of Kubescape that an object did not pass, alike on the command line and in the cluster. */
import type { Severity } from '../api/words.ts';
import type { Fields } from '../lib/fields.ts';
import { asList, at, textAt } from '../lib/fields.ts';
import { stateNature } from './carried-report.ts';
import { checkSummary } from './check-words.ts';
import type { Finding, IdentityPart, ResourceReference } from './source.ts';

const source = 'kubescape';

/** What is known of a failed control. */
export interface FailedControl {
  readonly id: string;
  readonly resource: ResourceReference;
  /** What the object is; the control is added. */
  readonly identity: readonly IdentityPart[];
  /** The control's entry, with its rules. */
  readonly control: Fields;
  /** What the control is called. */
  readonly text: string | undefined;
  readonly factor: number | undefined;
  readonly severity: Severity;
  readonly sourceSeverity: string | undefined;
  readonly category: string | undefined;
}

/** Older versions have the status of the rules only. */
export function hasFailed(control: Fields): boolean {
  const status = textAt(control, 'status', 'status');
  if (status !== undefined) return status.toLowerCase() === 'failed';
  return (asList(control['rules']) ?? []).some((rule) => textAt(rule, 'status')?.toLowerCase() === 'failed');
}

/** The finding of a failed control. */
export function controlFinding(failed: FailedControl): Finding {
  const { id, resource, control, text, factor } = failed;
  return {
    source,
    eventType: 'misconfiguration',
    category: 'security',
    severity: failed.severity,
    sourceSeverity: failed.sourceSeverity,
    rule: id,
    resource,
    nature: stateNature,
    identity: () => [...failed.identity, id],
    describe: () => ({
      title: text === undefined ? id : `${id}: ${text}`,
      summary: checkSummary(`${id} ${text ?? ''}`.trim(), source),
      references: controlNumber.test(id) ? [`https://hub.armosec.io/docs/${id.toLowerCase()}`] : [],
      details: { controlID: id, control: text, scoreFactor: factor, category: failed.category },
      // The paths of a Pod are not those of its Deployment.
      observedOn: {
        object: `${resource.kind}/${resource.name}`,
        rules: failedRules(control),
        paths: failedPaths(control),
      },
    }),
  };
}

const controlNumber = /^C-\d{4}$/;

/** Kubescape's own bounds. */
export function severityOfFactor(factor: number | undefined): Severity {
  if (factor === undefined) return 'unknown';
  if (factor >= 9) return 'critical';
  if (factor >= 7) return 'high';
  if (factor >= 4) return 'medium';
  return factor >= 1 ? 'low' : 'unknown';
}

function failedRules(control: Fields): readonly unknown[] {
  return (asList(control['rules']) ?? [])
    .filter((rule) => textAt(rule, 'status')?.toLowerCase() === 'failed')
    .map((rule) => textAt(rule, 'name'))
    .sort();
}

const maximumPaths = 8;

/** Where in the object, or what to set there. */
function failedPaths(control: Fields): readonly string[] {
  const paths = (asList(control['rules']) ?? []).flatMap((rule) =>
    (asList(at(rule, 'paths')) ?? []).map(
      (path) => textAt(path, 'failedPath') ?? textAt(path, 'fixPath', 'path') ?? textAt(path, 'fixPath'),
    ),
  );
  return [...new Set(paths.filter((path) => path !== undefined))].sort().slice(0, maximumPaths);
}
