/** Doctor: which tools are there, what they report, and which reports cannot be read. */
import type { KubeClient } from '../kube/client.ts';
import type { Discovered, ServedResources } from '../kube/discovery.ts';
import { KubeError } from '../kube/kube-error.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { PagedList } from '../kube/paged-list.ts';
import type { Intake, ReadContext, Source } from '../sources/source.ts';
import { MalformedReport } from '../sources/source.ts';
import type { Check } from './doctor-check.ts';

export interface ReportsParts {
  readonly client: KubeClient;
  readonly discovered: Discovered;
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
  readonly problem?: KubeError;
}

/** Reads the reports of each kind that is served. */
export async function checkReports(parts: ReportsParts): Promise<Check[]> {
  const tools: string[] = [];
  const malformed: string[] = [];
  const problems: string[] = [];
  const fixes = new Set<string>();
  let found = 0;
  let read = 0;
  // What is sent to webhooks or left in ConfigMaps shows only when it comes.
  const watched = parts.sources.filter(({ intakes }) => intakes.length > 0);
  for (const source of watched) {
    const seen: Seen[] = [];
    for (const intake of source.intakes) {
      for (const collection of collectionsOf(intake, parts.discovered)) {
        if ('unread' in collection) {
          problems.push(`${source.name}: ${collection.unread}`);
          fixes.add(collection.fix);
        } else seen.push(await lookAt(parts, source, intake, collection));
      }
    }
    if (seen.length > 0) found += 1;
    const isUnread = problems.some((problem) => problem.startsWith(`${source.name}: `));
    tools.push(`${source.name}: ${seen.map(inWords).join(', ') || (isUnread ? 'cannot be read' : 'not there')}`);
    malformed.push(...seen.flatMap((one) => one.malformed));
    for (const { problem, resource, reports } of seen) {
      read += reports;
      if (problem === undefined) continue;
      problems.push(`${resource}: ${problem.message}`);
      fixes.add(problem.status === 403 ? 'see permissions above' : 'see what the server says of them');
    }
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
      fix: problems.length > 0 ? [...fixes].join('; ') : 'install a tool, or apply its CRDs',
    },
    reportsCheck(malformed, read, problems.length),
  ];
}

function reportsCheck(malformed: readonly string[], read: number, unread: number): Check {
  const besides = unread === 0 ? '' : `; ${unread} kinds could not be looked at`;
  const name = 'reports';
  if (malformed.length > 0) {
    return {
      name,
      status: 'warn',
      says: `${malformed.length} reports, or entries of reports, cannot be understood: they are left out, the rest counts${besides}`,
      details: malformed,
      fix: 'look at the reports named. Where others of the kind are understood, delete it: its tool makes it anew; where none is, the tool may have a version that is not known yet. Events that are there stay as they are',
    };
  }
  if (unread > 0) return { name, status: 'skip', says: `${read} that can be read are understood${besides}` };
  return { name, status: 'ok', says: `all ${read} that were looked at are understood` };
}

interface Collection {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly kind: string | undefined;
}

interface Unread {
  readonly unread: string;
  readonly fix: string;
}

/** What is served of an intake, in a version that we read; or why it cannot be read. */
function collectionsOf(intake: Intake, { served, down }: Discovered): (Collection | Unread)[] {
  const { group, versions } = intake;
  const silent = versions.find((version) => down.includes(`${group}/${version}`));
  return resourcesOf(intake, served).flatMap((resource): (Collection | Unread)[] => {
    const there = served.get(`${group}/${resource}`)?.versions;
    if (there === undefined && silent !== undefined) {
      return [
        {
          unread: `${resource}.${group}: the API behind ${group}/${silent} does not answer`,
          fix: `kubectl describe apiservice ${silent}.${group}`,
        },
      ];
    }
    if (there === undefined) return [];
    const version = versions.find((each) => there.includes(each));
    if (version === undefined) {
      const unread = `${resource}.${group} is served as ${there.join(', ')}; read is ${versions.join(', ')}`;
      return [{ unread, fix: 'install a version of the tool that serves what is read, or a newer zen-watcher' }];
    }
    return [{ group, version, resource, kind: intake.via === 'resource' ? intake.kind : undefined }];
  });
}

function resourcesOf(intake: Intake, served: ServedResources): string[] {
  if (intake.via === 'resource') return [intake.resource];
  const { group } = intake;
  return [...served.keys()].filter((key) => key.startsWith(`${group}/`)).map((key) => key.slice(group.length + 1));
}

async function lookAt(parts: ReportsParts, source: Source, intake: Intake, collection: Collection): Promise<Seen> {
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
    return { resource, reports, isCut: false, malformed, problem: error };
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
