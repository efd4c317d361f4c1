/** Bytes of a file -> parsed documents: JSON, one JSON per line, or YAML with any number of documents. */
import type { JsonLimits, ParsedDocument, ParsedValue } from '../lib/json-documents.ts';
import { beyond, decodeText, parseJsonLines, startsWithJsonLine, tryJson } from '../lib/json-documents.ts';

/** What one input may be. Parsing takes some ten times its size in memory, YAML forty times. */
export interface DocumentLimits extends JsonLimits {
  readonly inputBytes: number;
  readonly yamlBytes: number;
  /** Lines, and what opens or separates values on one line. */
  readonly yamlTokens: number;
  readonly yamlDocuments: number;
}

const mebibyte = 2 ** 20;

export const defaultLimits: DocumentLimits = {
  inputBytes: 64 * mebibyte,
  jsonContainers: 2_000_000,
  jsonMembers: 6_000_000,
  yamlBytes: 16 * mebibyte,
  yamlTokens: 600_000,
  yamlDocuments: 100_000,
};

/** Bytes in words: `64 MiB`. */
export function inMebibytes(bytes: number): string {
  return `${Math.round(bytes / mebibyte)} MiB`;
}

/** Parses an input. `name` is only looked at for its ending. */
export async function* parseDocuments(
  bytes: Uint8Array,
  name: string,
  limits: DocumentLimits = defaultLimits,
): AsyncGenerator<ParsedDocument> {
  const text = decodeText(bytes);
  const first = /\S/.exec(text)?.[0];
  if (first === undefined) {
    yield { label: '', problem: 'is empty' };
  } else if (/\.(ndjson|jsonl)$/i.test(name)) {
    yield* parseJsonLines(text);
  } else if (first === '{' || first === '[' || /\.json$/i.test(name)) {
    yield* parseJson(text, /\.ya?ml$/i.test(name), limits);
  } else {
    yield* parseYaml(text, limits);
  }
}

async function* parseJson(text: string, isYamlByName: boolean, limits: DocumentLimits): AsyncGenerator<ParsedDocument> {
  const tooLarge = beyond(text, limits);
  if (tooLarge !== undefined) {
    yield { label: '', problem: tooLarge };
    return;
  }
  const whole = tryJson(text);
  if ('value' in whole) yield { label: '', ...whole };
  else if (startsWithJsonLine(text)) yield* parseJsonLines(text);
  else if (isYamlByName) yield* parseYaml(text, limits);
  else yield { label: '', ...whole };
}

/** One document after the other: a broken one does not take the others with it, and memory is bounded by the largest. */
async function* parseYaml(text: string, limits: DocumentLimits): AsyncGenerator<ParsedDocument> {
  const chunks = yamlChunks(text);
  if (chunks.length > limits.yamlDocuments) {
    yield { label: '', problem: `is too large: more than ${limits.yamlDocuments} YAML documents` };
    return;
  }
  for (const [index, chunk] of chunks.entries()) {
    const label = chunks.length > 1 ? `document ${index + 1}` : '';
    yield { label, ...(await tryYaml(chunk, limits)) };
  }
  if (chunks.length === 0) yield { label: '', problem: 'is empty' };
}

interface YamlChunk {
  readonly text: string;
  /** Lines of the file before it. */
  readonly linesBefore: number;
}

/** A line that begins with `---` begins a document wherever it stands. Documents of comments only are left out. */
function yamlChunks(text: string): YamlChunk[] {
  const starts = [0, ...[...text.matchAll(/^---(?=\s|$)/gm)].map(({ index }) => index)];
  let linesBefore = 0;
  return starts.flatMap((start, number) => {
    const lines = text.slice(start, starts[number + 1]).split('\n');
    const chunk = { text: lines.join('\n'), linesBefore };
    linesBefore += lines.length - 1;
    return lines.some((line) => !isVoid(line)) ? [chunk] : [];
  });
}

/** Blank, a comment, a directive or a marker of a document's bounds. */
function isVoid(line: string): boolean {
  const trimmed = line.trim();
  return trimmed === '' || trimmed === '---' || trimmed === '...' || trimmed.startsWith('#') || line.startsWith('%');
}

async function tryYaml({ text, linesBefore }: YamlChunk, limits: DocumentLimits): Promise<ParsedValue> {
  if (Buffer.byteLength(text) > limits.yamlBytes || count(text, /[\n,[{]/g) > limits.yamlTokens) {
    return {
      problem: `is too large: a YAML document may have ${inMebibytes(limits.yamlBytes)} and ${limits.yamlTokens} values; JSON may have more`,
    };
  }
  // Loaded only for YAML: most of what is scanned is JSON.
  const { LineCounter, parseDocument } = await import('yaml');
  const lineCounter = new LineCounter();
  try {
    const document = parseDocument(text, {
      lineCounter,
      prettyErrors: false,
      logLevel: 'silent',
      stringKeys: true,
      // Looking for keys that occur twice takes quadratic time.
      uniqueKeys: false,
    });
    const [error] = document.errors;
    if (error !== undefined) {
      const line = linesBefore + lineCounter.linePos(error.pos[0]).line;
      return { problem: `is not valid YAML (line ${line}: ${error.message.split('\n', 1)[0]})` };
    }
    // Throws for an alias that is used more than a hundred times: the billion laughs.
    return { value: document.toJS({ maxAliasCount: 100 }) };
  } catch (error) {
    return { problem: `is not readable YAML: ${error instanceof Error ? error.message.split('\n', 1)[0] : 'unknown'}` };
  }
}

function count(text: string, pattern: RegExp): number {
  let found = 0;
  for (const _ of text.matchAll(pattern)) found += 1;
  return found;
}
