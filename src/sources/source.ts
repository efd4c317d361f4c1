/**
 * The contract between a security tool's data and the core. A source is data plus pure functions: it says where its raw
 * input comes from and turns one raw input into readings. It knows no Kubernetes client, no clock and no filter.
 *
 * Flow: raw document -> Format.read -> Reading{findings} -> the pipeline (filter, identity, index, queue, event store).
 */
import type { Category, EventType, Severity } from '../api/words.ts';

/** A parsed JSON or YAML document of unknown shape: every field of it is hostile until checked. */
export type RawDocument = Readonly<Record<string, unknown>>;

/**
 * A reference to the object that a finding is about, exactly as the tool wrote it. The core collapses it to its owner
 * (Pod -> ReplicaSet -> Deployment, Job -> CronJob) where the reference itself proves it or the Pod list says so.
 */
export interface ResourceReference {
  readonly apiVersion?: string;
  readonly kind: string;
  readonly name: string;
  /** Absent for cluster-scoped objects. */
  readonly namespace?: string;
  /** The pod-template-hash label, where the report carries it: proof that `<deployment>-<hash>` is the Deployment's. */
  readonly podTemplateHash?: string;
}

/** One part of an identity: a plain word, or "the owner of this object", which only the core can resolve. */
export type IdentityPart = string | { readonly ownerOf: ResourceReference };

/** What only an accepted finding needs. Built on demand: most findings of a report are filtered before. */
export interface Description {
  /** One sentence for people; the event's title. */
  readonly title: string;
  /** The same, most telling words first, in at most `summaryWidth(source)` characters. More than 48 are cut. */
  readonly summary: string;
  readonly score?: number | undefined;
  readonly remediation?: string | undefined;
  readonly references?: readonly string[] | undefined;
  /**
   * Chosen fields that are part of the finding: when one of them changes, the event is rewritten. Undefined, null and
   * empty values are dropped. Never request bodies, environment variables or Secret data.
   */
  readonly details: Readonly<Record<string, unknown>>;
  /**
   * What may change without the finding changing (the ReplicaSet's or Pod's name, an image tag or digest, a time, free
   * text with counters in it). It is stored under details.observedOn and never causes a write of its own.
   */
  readonly observedOn?: Readonly<Record<string, unknown>>;
}

/**
 * A state finding lives as long as reports hold it; a signal happened and is counted. The findings of one reading are all
 * of one kind.
 */
export type Nature = { readonly kind: 'state' } | SignalNature;

/** That something happened, how often and when. Times are by the tool's clock, already checked to be plausible. */
export interface SignalNature {
  readonly kind: 'signal';
  /** How often it happened in this input, or, where that is cumulative, ever. */
  readonly occurrences: number;
  /**
   * The input is an object that counts: `occurrences` is its total so far, and it comes again with a higher one. Only what
   * was not counted yet is added. Such an object has one finding.
   */
  readonly cumulative?: boolean;
  /** When it happened for the first time in this input; `at` where that is not known. */
  readonly firstAt?: Date | undefined;
  /** When it happened last. */
  readonly at: Date;
  /** Ids of the occurrences where the tool gives them (audit ids): a replayed one is not counted again. */
  readonly occurrenceIds?: readonly string[];
}

/** One finding of one report. Cheap to make: identity and description are functions, called for accepted findings only. */
export interface Finding {
  /** The word for spec.source, one of Source.emits. */
  readonly source: string;
  readonly eventType: EventType;
  readonly category: Category;
  readonly severity: Severity;
  /** The tool's own word, untouched. */
  readonly sourceSeverity?: string | undefined;
  /** What people filter and mute by: a CVE, policy/rule, a check id. */
  readonly rule: string;
  /** The policy that was violated, as `details.policy` names it: when it is gone, so is the finding. Absent for tools without. */
  readonly policy?: string | undefined;
  /**
   * The source that reads the same from the tool itself and is on, where this is an adapter's copy of it: it is filtered.
   * Not left out by the format: a copy that is missing would look fixed.
   */
  readonly copyOf?: string | undefined;
  readonly resource: ResourceReference;
  readonly nature: Nature;
  /** What makes two findings the same one, without source and version (the core prepends them). No times, counts, uids, tags. */
  identity(): readonly IdentityPart[];
  describe(): Description;
}

/** An entry, or a whole document, that could not be understood. */
export interface Rejection {
  /** Closed set: it is a metric label. */
  readonly reason: RejectionReason;
  /** Where in the document, as a JSON path: `.report.vulnerabilities[3].vulnerabilityID`. */
  readonly place: string;
  /** What was expected and what was there, in words, without the value when it may be secret. */
  readonly message: string;
}

export const rejectionReasons = [
  'malformed',
  'missing-field',
  'cross-namespace',
  'too-large',
  'refused-by-server',
  'namespace-terminating',
] as const;
export type RejectionReason = (typeof rejectionReasons)[number];

/** The report an event came from. No uid: tools delete and re-create their reports. */
export interface Origin {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

/** What one raw input says at one moment. */
export interface Reading {
  /**
   * Names the thing that is reported on, so that a newer report of the same key supersedes an older one: the format's
   * word, then a stable subject (the workload and container, the scope, the ConfigMap key). Never a uid or report name
   * that the tool changes.
   */
  readonly reportKey: readonly IdentityPart[];
  /** The report's own namespace, '' for cluster-scoped reports. */
  readonly partition: string;
  /**
   * complete: what is not in it is not there any more. partial: says nothing about what it leaves out (a capped list, an
   * entry that could not be read). not-yet: the tool has not looked yet; nothing follows from it. Signals are partial:
   * that something did not happen again fixes nothing.
   */
  readonly completeness: 'complete' | 'partial' | 'not-yet';
  readonly findings: readonly Finding[];
  readonly rejected: readonly Rejection[];
  /** The words in spec.source that the report speaks for, where it may hold no finding of theirs. */
  readonly speaksFor?: readonly string[] | undefined;
  readonly origin: Origin;
  /** When the tool made the report, where it says so plausibly. */
  readonly reportedAt?: Date | undefined;
  /** When to look again although nothing changed (a certificate that will expire). */
  readonly lookAgainAt?: Date | undefined;
}

/** The ConfigMap key that a document came in, where it did: tools say there what their output does not. */
export interface Carrier {
  readonly namespace: string;
  readonly name: string;
  readonly key: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** What a mapping may know besides the document. */
export interface ReadContext {
  readonly now: Date;
  readonly carrier?: Carrier | undefined;
  /** Whether the source of that name is on, so that what others copied of its reports is there twice; absent: none is. */
  readonly isOn?: ((source: string) => boolean) | undefined;
  /** Whether reports of a namespace may speak for others where that producer made them; absent: none may. */
  readonly isTrusted?: ((producer: string) => boolean) | undefined;
}

/**
 * One data format. The same for a watched resource, a ConfigMap key, a webhook body and a file.
 * `read` throws MalformedReport when nothing of the document can be used; a bad entry is a Rejection in its Reading.
 */
export interface Format {
  /** Stable name; the head of report keys. */
  readonly name: string;
  /** True when the document is of this format, judged by its content alone. Must not throw. */
  recognise(document: RawDocument): boolean;
  read(document: RawDocument, context: ReadContext): readonly Reading[];
}

/** Thrown by Format.read for a document of which nothing can be used. */
export class MalformedReport extends Error {
  readonly code = 'MALFORMED_REPORT';
  readonly rejection: Rejection;
  constructor(rejection: Rejection, options?: ErrorOptions) {
    super(`${rejection.place}: ${rejection.message}`, options);
    this.name = 'MalformedReport';
    this.rejection = rejection;
  }
}

/** How the findings of an object end when it is deleted, where that is the proof. */
export type OwnEnd = 'resource-deleted' | 'policy-deleted';

/** Which of several objects about one thing are read. */
export interface Standing {
  /** What they are about, the same for all of them. */
  readonly about: string;
  /** Where one that is preferred is there, the others are not read. */
  readonly isPreferred: boolean;
}

/** A Kubernetes resource that the daemon watches. RBAC rules, informers and docs are computed from this. */
export interface ResourceIntake {
  readonly via: 'resource';
  readonly group: string;
  /** Served versions we can read, the preferred one first. */
  readonly versions: readonly string[];
  /** Plural name in the API. */
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly format: Format;
  /** What the server leaves out of lists and watches, as far as it can select: `type=Warning`. */
  readonly fieldSelector?: string;
  /**
   * Kinds of one channel carry the same reports in several API groups: a tool that goes over from one to the other has
   * lost nothing. A kind is a channel of its own where nothing is said.
   */
  readonly channel?: string;
  /**
   * The API lists and watches metadata only, whatever is asked for: each object that is new or changed is read by a GET of
   * its own, a few at a time. Needs the verb `get`.
   */
  readonly isReadOneByOne?: boolean;
  /** Served by an aggregated API, whose watch is weaker than that of etcd: listed anew every 30 minutes, jittered. */
  readonly isAggregated?: boolean;
  /**
   * Whether objects of one namespace can speak for resources of another, or of none; where only those of some namespaces can,
   * these. Such objects are read by every replica, others by those that read the shard of their namespace.
   */
  readonly speaksForOthers?: true | readonly string[];
  /** The objects are no reports about something: each is what its findings are about. */
  readonly endsAs?: OwnEnd;
  /**
   * Where several objects may tell of one thing, one better than the others: by metadata alone, since what is not preferred
   * is not even read. Only for what is read one by one. Undefined: it is read in any case.
   */
  readonly standing?: (metadata: RawDocument) => Standing | undefined;
}

/**
 * Every resource that the server serves of an API group: kinds that users make (Gatekeeper's constraints). Which there are
 * is discovered; each is read by the one format. The only RBAC rule with a wildcard.
 */
export interface GroupIntake {
  readonly via: 'group';
  readonly group: string;
  readonly versions: readonly string[];
  readonly namespaced: boolean;
  readonly format: Format;
  /**
   * As of a resource. A kind of the group that is not served any more, while others are, has no objects: they were deleted
   * with it.
   */
  readonly endsAs?: OwnEnd;
}

/** Objects that stand for the policies of a tool. Watched for their names: a finding ends when its policy does. */
export interface PolicyIntake {
  /** spec.source of the findings that such a policy can have. */
  readonly emits: string;
  readonly group: string;
  readonly versions: readonly string[];
  readonly resource: string;
  /** The policies of a namespace are called `namespace/name` in reports. */
  readonly namespaced: boolean;
}

/** Where a source's raw input comes from on the API server, besides ConfigMaps. */
export type Intake = ResourceIntake | GroupIntake;

/**
 * How a sender is answered. on-write: it ignores the status and waits, so it is answered when the events are on the server
 * (Falco). batch: it tries again on any error and drops the batch after a 4xx, so bad items are counted and the rest is
 * taken; only a batch with a new event waits (kube-apiserver). report: it reads the status (everybody else).
 */
export const acknowledgements = ['on-write', 'batch', 'report'] as const;
export type Acknowledgement = (typeof acknowledgements)[number];

/** A route of its own that a source has on the webhook port, besides `/webhook/<name>`. */
export interface WebhookIntake {
  /** `/falco/webhook`. */
  readonly path: string;
  readonly acknowledge: Acknowledgement;
}

/** One tool, or one family of tools that share a report format. */
export interface Source {
  /** Word for configuration, flags and the metric label `tool`. */
  readonly name: string;
  readonly title: string;
  readonly homepage: string;
  /** Every word that its findings put into spec.source: the name itself, and producers that have a word of their own. */
  readonly emits: readonly string[];
  /** Every event type it makes, with its category; findings are states of things unless said to be signals. */
  readonly eventTypes: readonly {
    readonly eventType: EventType;
    readonly category: Category;
    readonly nature?: 'signal';
  }[];
  /** The tool's severity words, lower case, and ours. Documented and shown by `sources`. */
  readonly severityWords: Readonly<Record<string, Severity>>;
  /** Owner look-ups of bare Pods need the Pod list. */
  readonly needsPods: boolean;
  readonly intakes: readonly Intake[];
  /**
   * Formats besides those of its intakes, recognised by content wherever they turn up: in files, in ConfigMaps (labelled
   * `app=<name>` or `zen.kube-zen.io/source=<name>`) and as bodies sent to `/webhook/<name>`.
   */
  readonly formats?: readonly Format[];
  /** Label selector of ConfigMaps that are this source's alone; its formats are not looked for in others then. */
  readonly configMapSelector?: string;
  /** The route that senders of this tool are used to, and how they are to be answered. */
  readonly webhook?: WebhookIntake;
  /** Kinds of policies that are watched, metadata only. */
  readonly policies?: readonly PolicyIntake[];
  /** Seconds without a repeat after which a signal of its ends as expired; 24 hours when nothing is said. */
  readonly quietSeconds?: number;
  /** How long a vanished report may stay away before its findings count as unverified; above the tool's own delete-and-recreate habit. */
  readonly graceSeconds: number;
}
