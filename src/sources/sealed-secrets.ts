/**
 * Sealed Secrets (https://github.com/bitnami-labs/sealed-secrets): a SealedSecret of which the controller could not make a
 * Secret. docs/sources/sealed-secrets.md.
 */
import { asNumber } from '../lib/fields.ts';
import { firstFitting } from '../lib/text-fit.ts';
import { plausibleTime } from '../lib/times.ts';
import { CarriedReading, stateNature } from './carried-report.ts';
import { conditionsOf, statusOf } from './conditions.ts';
import { isObjectOf, openObject } from './object-report.ts';
import type { Finding, Format, Origin, Source } from './source.ts';
import { summaryWidth } from './summary-width.ts';

const name = 'sealed-secrets';
const group = 'bitnami.com';

const sealedSecret: Format = {
  name: 'sealed-secret',
  recognise: (document) => isObjectOf(document, group, ['SealedSecret']),
  read(document, { now }) {
    const { origin, generation = 0 } = openObject(document);
    const reading = new CarriedReading('sealed-secret', { object: origin }, [{ ownerOf: origin }]);
    const status = statusOf(document['status'], reading);
    const synced = conditionsOf(status, reading).get('Synced');
    // Old controllers do not say which spec they looked at; before the newest one was, nothing follows.
    const isOutdated = (asNumber(status?.['observedGeneration']) ?? generation) < generation;
    if (synced === undefined || isOutdated || !['True', 'False'].includes(synced.status)) reading.isNotYet();
    else if (synced.status === 'False') reading.find(findingOf(origin, causeOf(synced.message)));
    return [reading.reading(plausibleTime(synced?.lastTransitionTime, now))];
  },
};

/** Why a Secret was not made, as far as the controller's message is one that we know. */
interface Cause {
  readonly cause: 'no-key' | 'not-managed' | 'other';
  /** The keys of the Secret that no private key could decrypt. */
  readonly keys: readonly string[];
}

const longestMessage = 2048;
const noKey = /no key could decrypt secret(?: \(([-._a-zA-Z0-9, ]+)\))?/;
const notManaged = /already exists and is not managed by SealedSecret/;

/**
 * The message itself is not kept: those of the template engine quote the template, in which anything may stand. The names
 * of keys are no secret; a name is all that `no key could decrypt secret (tls.key)` holds.
 */
function causeOf(message = ''): Cause {
  const bounded = message.slice(0, longestMessage);
  const decrypting = noKey.exec(bounded);
  if (decrypting !== null) {
    const names = (decrypting[1] ?? '').split(',').map((key) => key.trim());
    return { cause: 'no-key', keys: [...new Set(names.filter((key) => key !== ''))].sort() };
  }
  return { cause: notManaged.test(bounded) ? 'not-managed' : 'other', keys: [] };
}

const words: Readonly<Record<Cause['cause'], { readonly why: string; readonly remediation: string }>> = {
  'no-key': {
    why: 'no key could decrypt it',
    remediation:
      'Seal it anew with the certificate of this cluster (kubeseal --fetch-cert), for its name and namespace, or restore the lost key.',
  },
  'not-managed': {
    why: 'a Secret of that name is there and not managed by it',
    remediation: 'Delete the Secret, or annotate it with sealedsecrets.bitnami.com/managed: "true".',
  },
  other: {
    why: 'the controller says why in the status of the SealedSecret',
    remediation: 'See kubectl describe sealedsecret and the log of the controller.',
  },
};

function findingOf(resource: Origin, { cause, keys }: Cause): Finding {
  const { why, remediation } = words[cause];
  const which = keys.length === 0 ? '' : ` (${keys.join(', ')})`;
  return {
    source: name,
    eventType: 'unseal-failure',
    category: 'operations',
    severity: 'medium',
    rule: cause,
    resource,
    nature: stateNature,
    identity: () => [{ ownerOf: resource }],
    describe: () => ({
      title: `SealedSecret ${resource.name} was not made a Secret: ${why}${which}`,
      summary: firstFitting([`not unsealed: ${cause}${which}`, `not unsealed: ${cause}`], summaryWidth(name)),
      remediation,
      details: { cause, keys },
    }),
  };
}

export const sealedSecrets: Source = {
  name,
  title: 'Sealed Secrets',
  homepage: 'https://github.com/bitnami-labs/sealed-secrets',
  emits: [name],
  eventTypes: [{ eventType: 'unseal-failure', category: 'operations' }],
  // The controller has no severities.
  severityWords: { false: 'medium' },
  needsPods: false,
  intakes: [
    {
      via: 'resource',
      group,
      versions: ['v1alpha1'],
      resource: 'sealedsecrets',
      kind: 'SealedSecret',
      namespaced: true,
      format: sealedSecret,
      endsAs: 'resource-deleted',
    },
  ],
  graceSeconds: 60 * 60,
};
