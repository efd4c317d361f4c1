/**
 * Certificates of cert-manager (https://cert-manager.io/docs/reference/api-docs/#cert-manager.io/v1.CertificateStatus).
 * What is due is seen by the clock, whether cert-manager runs or not. docs/sources/cert-manager.md.
 */
import type { EventType, Severity } from '../api/words.ts';
import { asFields, asList, asNumber, asText, at, textAt } from '../lib/fields.ts';
import { firstFitting } from '../lib/text-fit.ts';
import { plausibleTime, timeOf } from '../lib/times.ts';
import { CarriedReading, stateNature } from './carried-report.ts';
import type { Condition } from './conditions.ts';
import { conditionsOf, statusOf } from './conditions.ts';
import type { ObjectReport } from './object-report.ts';
import { isObjectOf, openObject } from './object-report.ts';
import type { Finding, Format, RawDocument, ResourceReference, Source } from './source.ts';
import { summaryWidth } from './summary-width.ts';

const name = 'cert-manager';
const group = 'cert-manager.io';

/** How long a renewal may take: an issuer that does not answer at once is asked again within the hour. */
const renewalPatienceMs = 60 * 60 * 1000;

const severityWords = { 'not-ready': 'medium', overdue: 'high', expired: 'critical' } as const satisfies Record<
  string,
  Severity
>;
type Verdict = keyof typeof severityWords;

const eventTypes: Readonly<Record<Verdict, EventType>> = {
  'not-ready': 'certificate-not-ready',
  overdue: 'certificate-overdue',
  expired: 'certificate-expired',
};

const certificate: Format = {
  name: 'cert-manager-certificate',
  recognise: (document) => isObjectOf(document, group, ['Certificate']),
  read(document, { now }) {
    const report = openObject(document);
    const { apiVersion, kind, name: certificateName, namespace = '' } = report.origin;
    const resource = { apiVersion, kind, name: certificateName, namespace };
    const reading = new CarriedReading('cert-manager-certificate', { object: report.origin }, [{ ownerOf: resource }]);
    const certified = certificationOf(document, report, reading);
    const { ready, notAfter, renewalDue } = certified;
    if (notAfter !== undefined && notAfter <= now) reading.find(findingOf('expired', resource, certified));
    if (renewalDue !== undefined && renewalDue <= now) reading.find(findingOf('overdue', resource, certified));
    const hasFailed = ready?.status === 'False' && !isInProgress(certified);
    // An expired certificate is not ready for that reason: one finding says it.
    if (hasFailed && !(ready.reason === 'Expired' && notAfter !== undefined && notAfter <= now)) {
      reading.find(findingOf('not-ready', resource, certified));
    }
    if (ready === undefined) reading.isNotYet();
    else if (ready.status !== 'True' && !hasFailed) reading.isPartial();
    const dues = [notAfter, renewalDue].filter((due) => due !== undefined && due > now);
    const said = reading.reading(plausibleTime(ready?.lastTransitionTime, now));
    return [{ ...said, lookAgainAt: dues.sort((a, b) => Number(a) - Number(b))[0] }];
  },
};

/** What a Certificate says of itself. */
interface Certification {
  readonly document: RawDocument;
  readonly ready: Condition | undefined;
  readonly issuing: Condition | undefined;
  readonly failedAttempts: number;
  /** The conditions are about the spec as it was before. */
  readonly isOutdated: boolean;
  readonly notAfter: Date | undefined;
  readonly renewalTime: Date | undefined;
  /** When a renewal that has not come is a finding. */
  readonly renewalDue: Date | undefined;
}

function certificationOf(document: RawDocument, report: ObjectReport, reading: CarriedReading): Certification {
  const status = statusOf(document['status'], reading);
  const conditions = conditionsOf(status, reading);
  const time = (member: string): Date | undefined => {
    const value = status?.[member];
    const stated = timeOf(value);
    if (stated === undefined && value !== undefined && value !== null) {
      reading.refuse('malformed', `.status.${member}`, 'expected a time');
    }
    return stated;
  };
  const renewalTime = time('renewalTime');
  const ready = conditions.get('Ready');
  return {
    document,
    ready,
    issuing: conditions.get('Issuing'),
    failedAttempts: asNumber(status?.['failedIssuanceAttempts']) ?? 0,
    isOutdated: (ready?.observedGeneration ?? Infinity) < (report.generation ?? 0),
    notAfter: time('notAfter'),
    renewalTime,
    renewalDue: renewalTime === undefined ? undefined : new Date(renewalTime.getTime() + renewalPatienceMs),
  };
}

/**
 * Whether it is not ready because it is being issued, or about to be: a finding that was there stays, none is made. Once
 * an attempt has failed, the next one is no progress.
 */
function isInProgress({ ready, issuing, failedAttempts, isOutdated }: Certification): boolean {
  if (failedAttempts > 0) return false;
  const hasNeverBeen = ready?.reason === 'DoesNotExist' && issuing === undefined;
  return issuing?.status === 'True' || hasNeverBeen || isOutdated;
}

function findingOf(verdict: Verdict, resource: ResourceReference, certified: Certification): Finding {
  const { document, ready, failedAttempts, notAfter, renewalTime } = certified;
  const { title, summary, remediation } = words(verdict, resource.name, certified);
  return {
    source: name,
    eventType: eventTypes[verdict],
    category: 'operations',
    severity: severityWords[verdict],
    rule: verdict,
    resource,
    nature: stateNature,
    identity: () => [{ ownerOf: resource }, verdict],
    describe: () => ({
      title,
      summary: firstFitting([summary, verdict], summaryWidth(name)),
      remediation,
      details: {
        verdict,
        reason: verdict === 'not-ready' ? ready?.reason : undefined,
        notAfter: verdict === 'expired' ? notAfter?.toISOString() : undefined,
        renewalTime: verdict === 'overdue' ? renewalTime?.toISOString() : undefined,
        issuer: issuerOf(document),
        secretName: textAt(document, 'spec', 'secretName'),
        dnsNames: (asList(at(document, 'spec', 'dnsNames')) ?? []).slice(0, maximumNames).map(asText),
      },
      // Messages count attempts, and conditions turn with every one of them.
      observedOn: {
        message: ready?.message,
        failedIssuanceAttempts: failedAttempts === 0 ? undefined : failedAttempts,
        lastFailureTime: textAt(document, 'status', 'lastFailureTime'),
        notAfter: notAfter?.toISOString(),
        renewalTime: renewalTime?.toISOString(),
      },
    }),
  };
}

const maximumNames = 8;

interface Words {
  readonly title: string;
  readonly summary: string;
  readonly remediation: string;
}

function words(verdict: Verdict, certificateName: string, { ready, notAfter, renewalTime }: Certification): Words {
  switch (verdict) {
    case 'expired':
      return {
        title: `Certificate ${certificateName} expired at ${notAfter?.toISOString()}`,
        summary: `expired ${dayOf(notAfter)}`,
        remediation:
          'Find out why it was not renewed (kubectl describe certificate, cmctl status certificate) and renew it.',
      };
    case 'overdue':
      return {
        title: `Certificate ${certificateName} was to be renewed at ${renewalTime?.toISOString()}`,
        summary: `not renewed ${dayOf(renewalTime)}`,
        remediation: 'Find out why it is not renewed (kubectl describe certificate, cmctl status certificate).',
      };
    case 'not-ready':
      return {
        title: `Certificate ${certificateName} is not ready: ${ready?.reason ?? 'no reason is stated'}`,
        summary: `not ready: ${ready?.reason ?? 'unknown'}`,
        remediation: 'See the messages of the Certificate and of its CertificateRequest (cmctl status certificate).',
      };
  }
}

function dayOf(time: Date | undefined): string {
  return time?.toISOString().slice(0, 'yyyy-mm-dd'.length) ?? '';
}

/** `ClusterIssuer/letsencrypt`: an Issuer where no kind is stated. */
function issuerOf(document: RawDocument): string | undefined {
  const reference = asFields(at(document, 'spec', 'issuerRef'));
  const issuer = asText(reference?.['name']);
  return issuer === undefined ? undefined : `${asText(reference?.['kind']) ?? 'Issuer'}/${issuer}`;
}

export const certManager: Source = {
  name,
  title: 'cert-manager',
  homepage: 'https://cert-manager.io',
  emits: [name],
  eventTypes: [
    { eventType: 'certificate-not-ready', category: 'operations' },
    { eventType: 'certificate-overdue', category: 'operations' },
    { eventType: 'certificate-expired', category: 'operations' },
  ],
  severityWords,
  needsPods: false,
  intakes: [
    {
      via: 'resource',
      group,
      versions: ['v1'],
      resource: 'certificates',
      kind: 'Certificate',
      namespaced: true,
      format: certificate,
      endsAs: 'resource-deleted',
    },
  ],
  graceSeconds: 60 * 60,
};
