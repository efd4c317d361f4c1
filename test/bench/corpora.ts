/** What P5 normalizes: invented reports of the usual sizes, and of every format what real tools wrote, where that is at hand. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { formats } from '../../src/sources/registry.ts';
import type { Format, RawDocument } from '../../src/sources/source.ts';
import { openFixtures, readAt, reportsIn } from '../support/reports.ts';
import { repositoryRoot } from '../support/repository.ts';
import { checkReport } from './check-report.ts';
import { policyReport } from './policy-report.ts';
import { vulnerabilityReport } from './reports.ts';
import { warningEvent } from './warning-event.ts';

/** Documents of one format. */
export interface Corpus {
  readonly name: string;
  readonly format: Format;
  readonly texts: readonly Buffer[];
}

const documents = 150;
/** Enough of one format: the largest real reports have megabytes. */
const greatestBytes = 600_000;

export async function corpora(): Promise<Corpus[]> {
  const numbers = Array.from({ length: documents }, (_, index) => index);
  const invented: Readonly<Record<string, readonly object[]>> = {
    trivy: numbers.map((index) => vulnerabilityReport({ namespace: 'bench', index, kept: 10, filtered: 90, scan: 0 })),
    'trivy-checks': numbers.map((index) => checkReport('bench', index)),
    policyreport: numbers.map((index) => policyReport('bench', index)),
    'kubernetes-events': numbers.map((index) => warningEvent('bench', index)),
  };
  const known = Object.entries(invented).flatMap(([name, some]) => corpus(name, some as readonly RawDocument[]));
  const folder = openFixtures();
  const real = await documentsIn(folder ?? join(repositoryRoot, 'test/fixtures'));
  return [...known, ...real.flatMap(([format, some]) => corpus(`real.${format.name}`, some, format))];
}

/** Those documents of a folder that a format reads, by format. */
async function documentsIn(folder: string): Promise<[Format, readonly RawDocument[]][]> {
  const byFormat = new Map<Format, RawDocument[]>();
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ya?ml|json)$/.test(entry.name) && !entry.name.endsWith('.expected.json'))
    .map((entry) => join(entry.parentPath, entry.name));
  for (const file of files) {
    for (const document of await reportsIn(file).catch(() => [])) {
      const format = formats().find((one) => one.recognise(document));
      if (format === undefined || !isRead(format, document)) continue;
      byFormat.set(format, [...(byFormat.get(format) ?? []), document]);
    }
  }
  return [...byFormat];
}

function isRead(format: Format, document: RawDocument): boolean {
  try {
    return format.read(document, { now: readAt }).some(({ findings }) => findings.length > 0);
  } catch {
    return false;
  }
}

function corpus(name: string, some: readonly RawDocument[], known?: Format): Corpus[] {
  const format = known ?? formats().find((one) => some[0] !== undefined && one.recognise(some[0]));
  if (format === undefined) throw new Error(`no format recognises the documents of ${name}`);
  const texts: Buffer[] = [];
  let bytes = 0;
  for (const document of some) {
    const text = Buffer.from(JSON.stringify(document));
    if (texts.length > 0 && bytes + text.length > greatestBytes) continue;
    texts.push(text);
    bytes += text.length;
  }
  return texts.length === 0 ? [] : [{ name, format, texts }];
}
