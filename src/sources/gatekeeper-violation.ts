/** One object that violates one constraint of Gatekeeper, wherever it is told: in the constraint's status or in the audit's log. */
import type { Severity } from '../api/words.ts';
import { severityRank } from '../api/words.ts';
import { firstFitting } from '../lib/text-fit.ts';
import { stateNature } from './carried-report.ts';
import type { SeverityWords } from './severity-words.ts';
import { severityIn } from './severity-words.ts';
import type { Finding, ResourceReference } from './source.ts';
import { summaryWidth } from './summary-width.ts';

/** Word for spec.source. */
export const gatekeeper = 'gatekeeper';

/**
 * Gatekeeper has no severities: what it would do with a new object of this kind stands in for one. A label or annotation
 * `severity` of the constraint says more, in our words or in those that collections of constraints have.
 */
export const gatekeeperSeverityWords: SeverityWords = {
  deny: 'medium',
  warn: 'low',
  dryrun: 'info',
  critical: 'critical',
  high: 'high',
  error: 'high',
  medium: 'medium',
  moderate: 'medium',
  warning: 'medium',
  low: 'low',
  info: 'info',
  debug: 'info',
};

/** What is known of a violation. */
export interface Violation {
  readonly constraintKind: string;
  readonly constraint: string;
  readonly resource: ResourceReference;
  readonly message: string;
  /** deny, warn, dryrun; of a scoped constraint all that apply. */
  readonly actions: readonly string[];
  /** The severity that the constraint states for itself. */
  readonly stated: string | undefined;
  readonly description: string | undefined;
  readonly observedOn: Readonly<Record<string, unknown>>;
}

/** The finding of a violation. */
export function violationFinding(violation: Violation): Finding {
  const { constraintKind, constraint, resource, actions } = violation;
  const word = violation.stated ?? strongest(actions);
  const policy = `${constraintKind}/${constraint}`;
  return {
    source: gatekeeper,
    eventType: 'policy-violation',
    category: 'security',
    severity: severityIn(gatekeeperSeverityWords, word),
    sourceSeverity: word,
    rule: policy,
    policy,
    resource,
    nature: stateNature,
    // An object can violate a constraint once per container: only the message tells these apart.
    identity: () => [constraintKind, constraint, { ownerOf: resource }, stableMessage(violation)],
    describe: () => {
      const message = stableMessage(violation);
      return {
        title: message === '' ? `Constraint ${policy} violated` : `Constraint ${policy} violated: ${message}`,
        summary: firstFitting([policy, constraint], summaryWidth(gatekeeper)),
        details: {
          policy,
          constraintKind,
          constraint,
          enforcementAction: actions.join(', '),
          message,
          description: violation.description,
        },
        observedOn: {
          object: `${resource.kind}/${resource.name}`,
          message: violation.message,
          ...violation.observedOn,
        },
      };
    },
  };
}

/** Of several actions the one that is meant most seriously. */
function strongest(actions: readonly string[]): string | undefined {
  return actions.length < 2 ? actions[0] : actions.toSorted((a, b) => rank(a) - rank(b))[0];
}

function rank(action: string): number {
  const severity: Severity = severityIn(gatekeeperSeverityWords, action);
  return severityRank(severity);
}

const longestMessage = 512;
const digest = /\b[0-9a-f]{12,64}\b/g;
const digits = /\d+/g;

/**
 * What of a message stays from audit to audit: messages count days, and name the object (a Pod of the next rollout has
 * another name) and digests of images.
 */
function stableMessage({ message, resource }: Violation): string {
  const bounded = message.slice(0, longestMessage);
  const named = bounded.replaceAll(resource.name, '*');
  return named.replace(digest, '#').replace(digits, '#').trim();
}
