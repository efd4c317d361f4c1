/** What the demo shows, as data: reports that arrive, change and vanish, and the rows that must come of it. */

/** Where a report belongs; each becomes a namespace of the demo. */
export type Place = 'shop' | 'payments';

/** What kubectl must show for an event. Its name is not stated: it is a hash of what the finding is. */
export interface ExpectedRow {
  readonly source: 'trivy' | 'kyverno';
  readonly subject: string;
  /** How the summary begins. */
  readonly about: string;
  readonly severity: string;
  readonly phase: 'Active' | 'Resolved';
}

/** Something that happens to the reports, and what must come of it. */
export interface Scene {
  readonly title: string;
  readonly notes: readonly string[];
  /** Files of reports/ to apply. */
  readonly apply?: readonly { readonly file: string; readonly place: Place }[];
  /** A report to delete. */
  readonly remove?: { readonly file: string; readonly place: Place };
  /** Rows that must appear. With none, no event may change. */
  readonly rows: readonly ExpectedRow[];
}

const parser: Omit<ExpectedRow, 'phase'> = {
  source: 'trivy',
  subject: 'Deployment/storefront',
  about: 'CVE-2099-1041',
  severity: 'critical',
};
const frame: ExpectedRow = {
  source: 'trivy',
  subject: 'Deployment/storefront',
  about: 'CVE-2099-1187',
  severity: 'high',
  phase: 'Active',
};
const injection: Omit<ExpectedRow, 'severity'> = {
  source: 'trivy',
  subject: 'Deployment/checkout',
  about: 'CVE-2099-1310',
  phase: 'Active',
};
const certificates: ExpectedRow = {
  source: 'trivy',
  subject: 'StatefulSet/ledger',
  about: 'CVE-2099-0777',
  severity: 'high',
  phase: 'Active',
};
const runsAsRoot: Omit<ExpectedRow, 'phase'> = {
  source: 'kyverno',
  subject: 'Deployment/storefront',
  about: 'require-run-as-nonroot',
  severity: 'medium',
};
const privileged: ExpectedRow = {
  source: 'kyverno',
  subject: 'StatefulSet/ledger',
  about: 'disallow-privileged',
  severity: 'high',
  phase: 'Active',
};
const unlimited: ExpectedRow = {
  source: 'kyverno',
  subject: 'StatefulSet/ledger',
  about: 'require-requests-limits',
  severity: 'medium',
  phase: 'Active',
};

const checkoutRaised = { file: 'checkout-vulnerabilities-raised.yaml', place: 'shop' } as const;

export const story: readonly Scene[] = [
  {
    title: 'Trivy Operator reports on three workloads',
    notes: ['One event per finding; the medium one is below the default threshold of vulnerabilities, which is high.'],
    apply: [
      { file: 'storefront-vulnerabilities.yaml', place: 'shop' },
      { file: 'checkout-vulnerabilities.yaml', place: 'shop' },
      { file: 'ledger-vulnerabilities.yaml', place: 'payments' },
    ],
    rows: [{ ...parser, phase: 'Active' }, frame, { ...injection, severity: 'high' }, certificates],
  },
  {
    title: 'Kyverno reports on two of them',
    notes: ['Checks that passed are no findings.'],
    apply: [
      { file: 'storefront-policies.yaml', place: 'shop' },
      { file: 'ledger-policies.yaml', place: 'payments' },
    ],
    rows: [{ ...runsAsRoot, phase: 'Active' }, privileged, unlimited],
  },
  {
    title: 'The storefront is rebuilt with a fixed library, and scanned again',
    notes: ['Its event is Resolved: a newer report without the finding is evidence.'],
    apply: [{ file: 'storefront-vulnerabilities-fixed.yaml', place: 'shop' }],
    rows: [{ ...parser, phase: 'Resolved' }],
  },
  {
    title: 'The vulnerability of the checkout is rated higher: high becomes critical',
    notes: ['The same event, changed; not a second one.'],
    apply: [checkoutRaised],
    rows: [{ ...injection, severity: 'critical' }],
  },
  {
    title: 'The storefront no longer runs as root',
    notes: ['Kyverno reports that the check passes.'],
    apply: [{ file: 'storefront-policies-fixed.yaml', place: 'shop' }],
    rows: [{ ...runsAsRoot, phase: 'Resolved' }],
  },
  {
    title: 'The report on the checkout is deleted',
    notes: [
      'Its event stays Active: a report that is gone proves nothing. Trivy deletes each one daily to scan again.',
    ],
    remove: checkoutRaised,
    rows: [],
  },
  {
    title: 'The same report comes back, with another uid',
    notes: ['Nothing to write: the finding, and so the name and content of its event, are the same.'],
    apply: [checkoutRaised],
    rows: [],
  },
];

/** What goes on afterwards, around and around, until Ctrl-C. It ends as it began. */
export const life: readonly Scene[] = [
  {
    title: 'The storefront is rolled back',
    notes: ['The event is Active again, with its history.'],
    apply: [{ file: 'storefront-vulnerabilities.yaml', place: 'shop' }],
    rows: [{ ...parser, phase: 'Active' }],
  },
  {
    title: 'The rating of the vulnerability of the checkout is lowered',
    notes: [],
    apply: [{ file: 'checkout-vulnerabilities.yaml', place: 'shop' }],
    rows: [{ ...injection, severity: 'high' }],
  },
  {
    title: 'The storefront runs as root again',
    notes: [],
    apply: [{ file: 'storefront-policies.yaml', place: 'shop' }],
    rows: [{ ...runsAsRoot, phase: 'Active' }],
  },
  {
    title: 'The storefront is fixed',
    notes: [],
    apply: [{ file: 'storefront-vulnerabilities-fixed.yaml', place: 'shop' }],
    rows: [{ ...parser, phase: 'Resolved' }],
  },
  {
    title: 'The rating is raised again',
    notes: [],
    apply: [checkoutRaised],
    rows: [{ ...injection, severity: 'critical' }],
  },
  {
    title: 'The storefront no longer runs as root',
    notes: [],
    apply: [{ file: 'storefront-policies-fixed.yaml', place: 'shop' }],
    rows: [{ ...runsAsRoot, phase: 'Resolved' }],
  },
];

/** The table that must be there at the end of the story. */
export const finalRows: readonly ExpectedRow[] = [
  { ...parser, phase: 'Resolved' },
  frame,
  { ...injection, severity: 'critical' },
  certificates,
  { ...runsAsRoot, phase: 'Resolved' },
  privileged,
  unlimited,
];
