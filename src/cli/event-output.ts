/** Events as a table, JSON, YAML or one JSON per line. Made piece by piece: the whole text may be large. */
import type { ZenAgentEvent } from '../api/event.ts';
import type { Severity } from '../api/words.ts';
import { type Column, renderTable } from './table.ts';

export const outputFormats = ['table', 'wide', 'json', 'yaml', 'ndjson'] as const;
export type OutputFormat = (typeof outputFormats)[number];

/** The pieces of the text, in order. */
export async function* renderEvents(
  events: readonly ZenAgentEvent[],
  format: OutputFormat,
  useColor: boolean,
): AsyncGenerator<string> {
  switch (format) {
    case 'table':
    case 'wide':
      yield* table(events, format === 'wide', useColor);
      return;
    case 'json':
      yield* json(events);
      return;
    case 'yaml':
      yield* yaml(events);
      return;
    case 'ndjson':
      for (const event of events) yield `${JSON.stringify(event)}\n`;
  }
}

const columns: readonly Column<ZenAgentEvent>[] = [
  { title: 'NAME', text: ({ metadata }) => metadata.name },
  { title: 'SEVERITY', text: ({ spec }) => spec.severity },
  { title: 'SOURCE', text: ({ spec }) => spec.source },
  { title: 'SUBJECT', text: ({ spec }) => spec.subject ?? '' },
  { title: 'SUMMARY', text: ({ spec }) => spec.summary ?? '' },
];

const wideColumns: readonly Column<ZenAgentEvent>[] = [
  { title: 'TYPE', text: ({ spec }) => spec.eventType },
  { title: 'NAMESPACE', text: ({ spec }) => spec.resource?.namespace ?? '' },
  { title: 'COUNT', text: ({ status }) => String(status?.count ?? 1) },
  { title: 'TITLE', text: ({ spec }) => spec.title ?? '' },
];

const severityColumn = 1;

function table(events: readonly ZenAgentEvent[], isWide: boolean, useColor: boolean): Generator<string> {
  return renderTable(isWide ? [...columns, ...wideColumns] : columns, events, (cells, { spec }) => {
    if (useColor) cells[severityColumn] = `\u001b[${colors[spec.severity]}m${cells[severityColumn]}\u001b[0m`;
  });
}

/** Parameters of the terminal's "select graphic rendition". */
const colors: Readonly<Record<Severity, string>> = {
  critical: '1;31',
  high: '31',
  medium: '33',
  low: '36',
  info: '2',
  unknown: '35',
};

/** A Kubernetes List, which `kubectl apply -f -` takes. */
function* json(events: readonly ZenAgentEvent[]): Generator<string> {
  yield '{\n  "apiVersion": "v1",\n  "kind": "List",\n  "items": [';
  for (const [at, event] of events.entries()) {
    yield `${at === 0 ? '' : ','}\n    ${JSON.stringify(event, undefined, 2).replaceAll('\n', '\n    ')}`;
  }
  yield events.length === 0 ? ']\n}\n' : '\n  ]\n}\n';
}

/** The same List. Quoted for YAML 1.1 as well, which Kubernetes reads: there `on` and `1_0` are no texts. */
async function* yaml(events: readonly ZenAgentEvent[]): AsyncGenerator<string> {
  if (events.length === 0) {
    yield 'apiVersion: v1\nkind: List\nitems: []\n';
    return;
  }
  const { stringify } = await import('yaml');
  yield 'apiVersion: v1\nkind: List\nitems:\n';
  for (const event of events) {
    yield stringify([event], { compat: 'yaml-1.1', aliasDuplicateObjects: false, lineWidth: 0 });
  }
}
