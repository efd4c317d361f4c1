/** Events as a table, JSON, YAML, one JSON per line, SARIF or an HTML report. Made piece by piece: the whole text may be large. */
import type { ZenAgentEvent } from '../api/event.ts';
import type { Severity } from '../api/words.ts';
import { changeOf } from './baseline.ts';
import { type Column, renderTable } from './table.ts';

export const outputFormats = ['table', 'wide', 'json', 'yaml', 'ndjson', 'sarif', 'html'] as const;
export type OutputFormat = (typeof outputFormats)[number];

/** What the output says besides the events. */
export interface RenderContext {
  readonly version: string;
  readonly now: Date;
  /** False when something could not be read. */
  readonly isComplete: boolean;
  readonly useColor: boolean;
  /** What people filter and mute an event by, where it is known. */
  ruleOf(event: string): string | undefined;
}

/** The pieces of the text, in order. */
export async function* renderEvents(
  events: readonly ZenAgentEvent[],
  format: OutputFormat,
  context: RenderContext,
): AsyncGenerator<string> {
  switch (format) {
    case 'table':
    case 'wide':
      yield* table(events, format === 'wide', context.useColor);
      return;
    case 'json':
      yield* json(events);
      return;
    case 'yaml':
      yield* yaml(events);
      return;
    case 'ndjson':
      for (const event of events) yield `${JSON.stringify(event)}\n`;
      return;
    case 'sarif': {
      const { renderSarif } = await import('./sarif-output.ts');
      yield* renderSarif(events, { ...context, endedAt: context.now });
      return;
    }
    case 'html': {
      const { renderHtml } = await import('./html-output.ts');
      yield* renderHtml(events, { ...context, generatedAt: context.now });
    }
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

const changeColumn: Column<ZenAgentEvent> = { title: 'BASELINE', text: (event) => changeOf(event) ?? '' };

const severityColumn = 1;

function table(events: readonly ZenAgentEvent[], isWide: boolean, useColor: boolean): Generator<string> {
  const compared = events.some((event) => changeOf(event) !== undefined) ? [changeColumn] : [];
  const shown = [...columns, ...compared, ...(isWide ? wideColumns : [])];
  return renderTable(shown, events, (cells, { spec }) => {
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
