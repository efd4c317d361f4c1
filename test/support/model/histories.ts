/** Random histories of a cluster: what fast-check makes, and shrinks. */
import fc from 'fast-check';
import type { FindingId, Said, Severity } from './cluster-model.ts';
import type { Noise } from './model-reports.ts';

/** What one report lists: severities by the number of the finding; undefined: not listed. */
type Listing = readonly (Severity | undefined)[];

/** One thing that happens in a cluster, to the daemon, or between the two. */
export type Command =
  | {
      readonly do: 'report';
      readonly subject: number;
      readonly slot: number;
      readonly listing: Listing;
      readonly shape: Said['shape'];
      readonly noise: Noise;
    }
  | { readonly do: 'unreport'; readonly subject: number; readonly slot: number }
  /** The report of another ReplicaSet takes the place of the one that is there. */
  | { readonly do: 'rollout'; readonly subject: number; readonly first: 'new' | 'old' }
  /** The same again, later. */
  | { readonly do: 'rescan'; readonly subject: number }
  | { readonly do: 'delete' | 'resolve' | 'acknowledge' | 'sync'; readonly event: FindingId }
  | { readonly do: 'edit'; readonly event: FindingId; readonly severity: Severity }
  /** The network to the API server is cut, or swallows all answers, until it heals. */
  | { readonly do: 'cut' | 'stall' | 'heal' }
  /** The daemon is killed, started where it does not run, or ended in order and started. */
  | { readonly do: 'kill' | 'start' | 'restart' }
  /** The API server is killed and started. */
  | { readonly do: 'crash' }
  /** All heals, the daemon comes to rest, and everything is looked at. */
  | { readonly do: 'rest' }
  /** Time for the daemon to get half-way through what it does. */
  | { readonly do: 'pause'; readonly ms: number };

/** One history, and under which thresholds the daemon runs. */
export interface History {
  readonly thresholds: 'default' | 'everything';
  readonly commands: readonly Command[];
}

/** Plain objects, which print as they are written. */
const record = <Fields>(fields: { [Key in keyof Fields]: fc.Arbitrary<Fields[Key]> }) =>
  fc.record(fields, { noNullPrototype: true });

/** How many subjects, slots of each and findings of each a history is about. */
export const sizes = { subjects: 4, slots: 2, findings: 3 } as const;

const subject = fc.nat(sizes.subjects - 1);
const slot = fc.nat(sizes.slots - 1);
const event = record({ subject, finding: fc.nat(sizes.findings - 1) });
// Few words, so that the same ones meet often: above, at and below the default thresholds, and the unknown.
const severity = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom<Severity>('critical', 'high') },
  { weight: 3, arbitrary: fc.constantFrom<Severity>('medium', 'low', 'info') },
  { weight: 1, arbitrary: fc.constant<Severity>('unknown') },
);
const listing = fc.array(fc.option(severity, { nil: undefined, freq: 3 }), {
  minLength: sizes.findings,
  maxLength: sizes.findings,
});
const shape = fc.oneof(
  { weight: 9, arbitrary: fc.constant('complete' as const) },
  { weight: 2, arbitrary: fc.constant('partial' as const) },
  { weight: 1, arbitrary: fc.constant('malformed' as const) },
);
const noise = fc.constantFrom<Noise>('none', 'none', 'doubled', 'foreign');

function command(withCrashes: boolean): fc.Arbitrary<Command> {
  return fc.oneof(
    { weight: 14, arbitrary: record({ do: fc.constant('report'), subject, slot, listing, shape, noise }) },
    { weight: 3, arbitrary: record({ do: fc.constant('unreport'), subject, slot }) },
    { weight: 3, arbitrary: record({ do: fc.constant('rollout'), subject, first: fc.constantFrom('new', 'old') }) },
    { weight: 1, arbitrary: record({ do: fc.constant('rescan'), subject }) },
    { weight: 3, arbitrary: record({ do: fc.constantFrom('delete', 'resolve', 'acknowledge', 'sync'), event }) },
    { weight: 1, arbitrary: record({ do: fc.constant('edit'), event, severity }) },
    { weight: 2, arbitrary: record({ do: fc.constantFrom('cut', 'stall', 'heal', 'heal') }) },
    { weight: 2, arbitrary: record({ do: fc.constantFrom('kill', 'start', 'restart') }) },
    { weight: 5, arbitrary: record({ do: fc.constant('rest') }) },
    { weight: 3, arbitrary: record({ do: fc.constant('pause'), ms: fc.nat(40) }) },
    ...(withCrashes ? [{ weight: 1, arbitrary: record({ do: fc.constant('crash' as const) }) }] : []),
  ) as fc.Arbitrary<Command>;
}

/** Histories; `withCrashes`: the API server dies in some, which takes seconds each. */
export function histories(withCrashes: boolean): fc.Arbitrary<History> {
  return record({
    thresholds: fc.constantFrom('default', 'everything'),
    commands: fc.array(command(withCrashes), { minLength: 8, maxLength: 30, size: 'max' }),
  });
}
