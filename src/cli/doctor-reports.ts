/** Doctor: which tools are there, what they report, and which reports cannot be read. */
import type { KubeClient } from '../kube/client.ts';
import type { ServedResources } from '../kube/discovery.ts';
import { KubeError } from '../kube/kube-error.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { PagedList } from '../kube/paged-list.ts';
import type { Intake, ReadContext, Source } from '../sources/source.ts';
import { MalformedReport } from '../sources/source.ts';
import type { Check } from './doctor-check.ts';

export interface ReportsParts {
  readonly client: KubeClient;
  readonly served: ServedResources;
  /** Those that are on. */
  readonly sources: readonly Source[];
  readonly now: Date;
  /** What the configuration says to the formats of a source. */
  contextOf(source: string): Omit<ReadContext, 'now' | 'carrier'>;
}

/** So many reports of one kind are read: enough to see what is wrong with them. */
const mostReports = 2_000;

interface Seen {
  readonly resource: string;
  readonly reports: number;
  readonly isCut: boolean;
  readonly malformed: readonly string[];
  readonly problem?: string;
}

/** Reads the reports of each kind that is served. */
export async function checkReports(parts: ReportsParts): Promise<Check[]> {
  const tools: string[] = [];
  const malformed: string[] = [];
  const problems: string[] = [];
  let found = 0;
  // What is sent to webhooks or left in ConfigMaps shows only when it comes.
  const watched = parts.sources.filter(({ intakes }) => intakes.length > 0);
  for (const source of watched) {
    const seen: Seen[] = [];
    for (const intake of source.intakes) {
      for (const collection of collectionsOf(intake, parts.served)) {
        if ('unread' in collection) problems.push(`${source.name}: ${collection.unread}`);
        else seen.push(await read(parts, source, intake, collection));
      }
    }
    if (seen.length > 0) found += 1;
    tools.push(`${source.name}: ${seen.length === 0 ? 'not there' : seen.map(inWords).join(', ')}`);
    malformed.push(...seen.flatMap((one) => one.malformed));
    problems.push(
      ...seen.flatMap(({ problem, resource }) => (problem === undefined ? [] : [`${resource}: ${problem}`])),
    );
  }
  return [
    {
      name: 'tools',
      status: problems.length > 0 ? 'fail' : found === 0 ? 'warn' : 'ok',
      says:
        problems.length > 0
          ? `${problems.length} kinds of reports cannot be read`
          : `${found} of ${watched.length} that are watched are there`,
      details: [...problems, ...tools],
      fix:
        problems.length > 0 ? 'zen-watcher rbac shows the rights that are needed' : 'install a tool, or apply its CRDs',
    },
    malformed.length === 0
      ? { name: 'reports', status: 'ok', says: 'all that were looked at can be read' }
      : {
          name: 'reports',
          status: 'warn',
          says: `${malformed.length} entries or reports cannot be understood: they are left out, the rest counts`,
          details: malformed,
          fix: 'look at the reports named; their tool may have a version that is not known yet',
        },
  ];
}

interface Collection {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly kind: string | undefined;
}

/** What is served of an intake, in a version that we read; or that it is served in others only. */
function collectionsOf(intake: Intake, served: ServedResources): (Collection | { readonly unread: string })[] {
  const { group, versions } = intake;
  const resources =
    intake.via === 'resource'
      ? [intake.resource]
      : [...served.keys()].filter((key) => key.startsWith(`${group}/`)).map((key) => key.slice(group.length + 1));
  return resources.flatMap((resource): (Collection | { readonly unread: string })[] => {
    const there = served.get(`${group}/${resource}`)?.versions;
    if (there === undefined) return [];
    const version = versions.find((each) => there.includes(each));
    if (version === undefined) {
      return [{ unread: `${resource}.${group} is served as ${there.join(', ')}; read is ${versions.join(', ')}` }];
    }
    return [{ group, version, resource, kind: intake.via === 'resource' ? intake.kind : undefined }];
  });
}

async function read(parts: ReportsParts, source: Source, intake: Intake, collection: Collection): Promise<Seen> {
  const { client } = parts;
  const fieldSelector = intake.via === 'resource' ? intake.fieldSelector : undefined;
  const isMetadataOnly = intake.via === 'resource' && intake.isReadOneByOne === true;
  const list = new PagedList({
    client,
    collection,
    shape: 'full',
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
  });
  const resource = `${collection.resource}.${collection.group}`;
  const malformed: string[] = [];
  let reports = 0;
  try {
    for await (const { items, malformedItems } of list.pages(new AbortController().signal)) {
      reports += items.length + malformedItems;
      if (!isMetadataOnly) {
        for (const item of items) malformed.push(...rejectionsOf(parts, source, intake, { ...collection, item }));
      }
      if (reports >= mostReports) return { resource, reports, isCut: true, malformed };
    }
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    return { resource, reports, isCut: false, malformed, problem: error.message };
  }
  return { resource, reports, isCut: false, malformed };
}

function rejectionsOf(
  { now, contextOf }: ReportsParts,
  source: Source,
  intake: Intake,
  { kind, group, version, item }: Collection & { readonly item: KubeObject },
): string[] {
  const { namespace, name } = item.metadata as { readonly namespace?: string; readonly name: string };
  const object = [kind ?? '', [namespace, name].filter(Boolean).join('/')].join(' ').trim();
  const document = { apiVersion: `${group}/${version}`, ...(kind === undefined ? {} : { kind }), ...item };
  const words = ({ place, message }: { readonly place: string; readonly message: string }) =>
    `${object} ${place}: ${message}`;
  try {
    const readings = intake.format.read(document, { ...contextOf(source.name), now });
    return readings.flatMap(({ rejected }) => rejected.map(words));
  } catch (error) {
    if (error instanceof MalformedReport) return [words(error.rejection)];
    throw error;
  }
}

function inWords({ resource, reports, isCut, problem }: Seen): string {
  return `${resource} (${problem === undefined ? `${isCut ? 'more than ' : ''}${reports}` : 'cannot be read'})`;
}
