/**
 * Puts real reports on a server: the loader for samples as people publish them, taken from clusters long gone, from
 * documentation and from tests of the tools. What it does to a file, in this order:
 *
 *  1. The byte order mark is taken off, all YAML documents or JSON values are read, Lists are unwrapped (`reportsIn`,
 *     the same code with which `zen-watcher scan` reads files).
 *  2. metadata.uid, resourceVersion, generation, creationTimestamp, managedFields and selfLink are dropped: the server
 *     sets them. ownerReferences are dropped: their uids do not exist, and the garbage collector would remove the report.
 *     Whatever only the owner reference said about the report's subject is lost with it.
 *  3. A report without a name gets one from the file's name and its place in it; a namespaced report without a namespace
 *     gets `default`. Namespaces that do not exist are created.
 *  4. Labels and annotations are made strings (`report-ttl: 24` is a number in YAML); null and empty ones are left out, and
 *     labels that no server takes (`<HASH>` in a template).
 *  5. The tool's own CRD is used where it accepts the sample (asked for with dryRun=All, with every field known to it);
 *     where it refuses one, for its shape or its API version, a permissive stand-in of ours, which takes any shape.
 *
 * CRDs belong to the whole cluster: one file is loaded at a time, on a control plane of the test file's own.
 */
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { resourceIntakes } from '../../src/sources/intakes.ts';
import { sources } from '../../src/sources/registry.ts';
import type { RawDocument, ResourceIntake } from '../../src/sources/source.ts';
import { reportsIn } from './reports.ts';
import type { Stage } from './stage.ts';

/** A report as it goes to the server. */
export interface LoadedReport {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

type Record_ = Readonly<Record<string, unknown>>;

const setByTheServer = [
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'managedFields',
  'selfLink',
  'ownerReferences',
];

/** The watched resource that a report is an object of; undefined for other kinds. */
export function intakeOf({ apiVersion, kind }: RawDocument): ResourceIntake | undefined {
  const group = String(apiVersion).split('/')[0];
  return sources.flatMap(resourceIntakes).find((intake) => intake.group === group && intake.kind === kind);
}

/** The reports of a file that are of a watched kind, ready for the server (steps 1 to 4). */
export async function loadReports(path: string): Promise<LoadedReport[]> {
  const reports = (await reportsIn(path)).filter((report) => intakeOf(report) !== undefined);
  return reports.map((report, index) => prepare(report, `${plainName(path)}-${index + 1}`));
}

const labelValue = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

/** Steps 2 to 4. */
function prepare(report: RawDocument, fallbackName: string): LoadedReport {
  const metadata: Record<string, unknown> = { ...(report['metadata'] as Record_ | undefined) };
  for (const field of setByTheServer) delete metadata[field];
  metadata['name'] ||= fallbackName;
  if (intakeOf(report)?.namespaced) metadata['namespace'] ||= 'default';
  else delete metadata['namespace'];
  for (const field of ['labels', 'annotations']) {
    if (metadata[field] !== undefined) metadata[field] = asStrings(metadata[field] as Record_ | null);
  }
  if (metadata['labels'] !== undefined) {
    const labels = Object.entries(metadata['labels'] as Record<string, string>);
    metadata['labels'] = Object.fromEntries(labels.filter(([, value]) => labelValue.test(value)));
  }
  return { ...report, metadata } as unknown as LoadedReport;
}

function asStrings(values: Record_ | null): Record<string, string> {
  const stated = Object.entries(values ?? {}).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(stated.map(([key, value]) => [key, String(value)]));
}

function plainName(path: string): string {
  return basename(path)
    .replace(/\.\w+$/, '')
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-');
}

/** Where a report is in the API, by the version that it states. */
export function pathOfReport({ apiVersion, kind, metadata: { name, namespace } }: LoadedReport): string {
  const within = namespace === undefined ? '' : `/namespaces/${namespace}`;
  return `/apis/${apiVersion}${within}/${kind.toLowerCase()}s/${name}`;
}

/** Creates the namespaces that the reports need. */
export async function makeNamespacesOf(stage: Stage, reports: readonly LoadedReport[]): Promise<void> {
  for (const name of new Set(reports.map(({ metadata }) => metadata.namespace))) {
    if (name === undefined) continue;
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
    await stage.apply(`/api/v1/namespaces/${name}`, namespace);
  }
}

/** Why the server refuses one of the reports as it stands; undefined when it takes all (step 5). */
export async function refusal(stage: Stage, reports: readonly LoadedReport[]): Promise<string | undefined> {
  for (const report of reports) {
    const path = pathOfReport(report).replace(/\/[^/]+$/, '');
    const query = 'dryRun=All&fieldValidation=Strict';
    let answer = await stage.rest.send('POST', `${path}?${query}`, report);
    // A CRD that was just swapped can be served, not served and served again for a moment; a version may not be in it.
    for (let tries = 0; tries < 40 && answer.code === 404; tries += 1) {
      await sleep(100);
      answer = await stage.rest.send('POST', `${path}?${query}`, report);
    }
    const { code, message } = answer;
    if (code !== 201) return `${report.kind} ${report.metadata.name}: ${code} ${message.slice(-200)}`;
  }
  return undefined;
}

/** Creates the reports, or makes them what is given. Those that have a status keep it in a subresource. */
export async function putReports(stage: Stage, reports: readonly LoadedReport[]): Promise<void> {
  for (const report of reports) {
    const path = pathOfReport(report);
    await stage.apply(path, report);
    if ('status' in report) await stage.apply(`${path}/status`, report);
  }
}

/** Removes the reports, those that are there. */
export async function removeReports(stage: Stage, reports: readonly LoadedReport[]): Promise<void> {
  for (const report of reports) await stage.rest.send('DELETE', pathOfReport(report));
}
