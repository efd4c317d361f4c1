/**
 * What runs in the HTML report. The text of these functions is put into the page, so they use nothing but each other and
 * what is declared here. Whatever comes from a report is only ever set as text, never as markup.
 */
import type { PageData, Row } from './data.ts';

/** The little of the browser's document that is used here: the daemon's code is not to see the rest of it as globals. */
interface Element {
  textContent: string | null;
  className: string;
  value: string;
  disabled: boolean;
  returnValue: string;
  readonly dataset: Record<string, string>;
  readonly style: { width: string };
  readonly tagName: string;
  append(...children: (Element | string)[]): void;
  replaceChildren(...children: (Element | string)[]): void;
  setAttribute(name: string, value: string): void;
  addEventListener(type: string, listener: (event: KeyEvent) => void): void;
  focus(): void;
  showModal(): void;
  close(): void;
}

interface KeyEvent {
  readonly key: string;
  readonly target: Element;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  preventDefault(): void;
}

interface Page {
  readonly documentElement: Element;
  createElement(tag: string): Element;
  getElementById(id: string): Element | null;
  addEventListener(type: string, listener: (event: KeyEvent) => void): void;
}

type Facet = 'severity' | 'source' | 'namespace' | 'type' | 'change';
type SortKey = 'severity' | 'source' | 'namespace' | 'subject' | 'summary' | 'type' | 'count';

interface State {
  readonly chosen: Record<Facet, Set<string>>;
  words: string;
  sort: SortKey;
  isDescending: boolean;
  page: number;
}

/** Makes an element with attributes and children; texts become text. */
function make(page: Page, tag: string, attributes: Record<string, string>, ...children: (Element | string)[]): Element {
  const element = page.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Severities in falling order; the rank of one. */
function rankOfSeverity(severity: string): number {
  return ['critical', 'high', 'medium', 'low', 'info', 'unknown'].indexOf(severity);
}

/** Whether a row is within what was chosen, a facet left out: its own chart shows what else could be chosen. */
function isChosen(row: Row, chosen: Record<Facet, Set<string>>, leftOut?: Facet): boolean {
  return (Object.keys(chosen) as Facet[]).every(
    (facet) => facet === leftOut || chosen[facet].size === 0 || chosen[facet].has(row[facet] ?? ''),
  );
}

/** How many rows there are of each word of a facet, the most frequent first; severities by rank. */
function countBy(rows: readonly Row[], facet: Facet): [string, number][] {
  const counts = new Map<string, number>();
  for (const row of rows) counts.set(row[facet] ?? '', (counts.get(row[facet] ?? '') ?? 0) + 1);
  return [...counts].sort(([a, m], [b, n]) =>
    facet === 'severity' ? rankOfSeverity(a) - rankOfSeverity(b) : n - m || (a < b ? -1 : 1),
  );
}

/** Bars that can be pressed: each a word of the facet. What is beyond ten is one bar of its own without a filter. */
function drawChart(page: Page, facet: Facet, rows: readonly Row[], state: State, change: () => void): Element[] {
  const all = countBy(rows, facet);
  const shown = all.filter(([word], at) => at < 10 || state.chosen[facet].has(word));
  const greatest = Math.max(1, ...shown.map(([, count]) => count));
  const bars = shown.map(([word, count]) => {
    const fill = make(page, 'span', { class: facet === 'severity' ? `fill own ${word}` : 'fill' });
    fill.style.width = `${(100 * count) / greatest}%`;
    const bar = make(
      page,
      'button',
      { class: 'bar', type: 'button', 'aria-pressed': String(state.chosen[facet].has(word)) },
      make(page, 'span', { class: 'name', title: word }, word === '' ? '(none)' : word),
      make(page, 'span', { class: 'track' }, fill),
      make(page, 'span', { class: 'number' }, count.toLocaleString('en')),
    );
    bar.addEventListener('click', () => {
      if (!state.chosen[facet].delete(word)) state.chosen[facet].add(word);
      state.page = 0;
      change();
    });
    return bar;
  });
  const others = all.length - shown.length;
  return others === 0 ? bars : [...bars, make(page, 'p', { class: 'soft' }, `and ${others} more: search for them`)];
}

/** The rows in the order that was asked for. */
function inOrder(rows: readonly Row[], state: State): Row[] {
  const direction = state.isDescending ? -1 : 1;
  const key = state.sort;
  const compare = (a: Row, b: Row) => {
    if (key === 'severity') return rankOfSeverity(a.severity) - rankOfSeverity(b.severity);
    if (key === 'count') return a.count - b.count;
    return a[key] < b[key] ? -1 : a[key] > b[key] ? 1 : 0;
  };
  return [...rows].sort((a, b) => direction * compare(a, b));
}

/** One line of the table. */
function drawRow(page: Page, row: Row, open: () => void): Element {
  const button = make(page, 'button', { type: 'button' }, row.summary || row.title || row.name);
  button.addEventListener('click', open);
  const severity = make(page, 'span', { class: `severity ${row.severity}` }, row.severity);
  const cell = (title: string, ...children: (Element | string)[]) =>
    make(page, 'td', { 'data-title': title }, ...children.filter((child) => child !== ''));
  return make(
    page,
    'tr',
    {},
    cell('Severity', severity, row.change === undefined ? '' : ` · ${row.change}`),
    cell('Source', row.source),
    cell('Namespace', row.namespace),
    cell('Subject', row.subject),
    cell('Finding', button),
    cell('Type', row.type),
    cell('Count', String(row.count)),
  );
}

/** All that is known of one finding. Only addresses of the web become links. */
function drawDetails(page: Page, row: Row): Element[] {
  const entry = (title: string, text: string | number | undefined) =>
    text === undefined || text === '' ? [] : [make(page, 'dt', {}, title), make(page, 'dd', {}, String(text))];
  const links = (row.references ?? []).map((address) => {
    const isWeb = /^https?:\/\//i.test(address);
    const link = isWeb
      ? make(page, 'a', { href: address, rel: 'noreferrer noopener', target: '_blank' }, address)
      : address;
    return make(page, 'div', {}, link);
  });
  const list = make(
    page,
    'dl',
    {},
    ...entry(
      'Severity',
      row.sourceSeverity ? `${row.severity} (${row.source} says ${row.sourceSeverity})` : row.severity,
    ),
    ...entry('Score', row.score),
    ...entry('Baseline', row.change),
    ...entry('Rule', row.rule),
    ...entry('Source', row.source),
    ...entry('Type', `${row.type} (${row.category})`),
    ...entry('Namespace', row.namespace),
    ...entry('Subject', row.subject),
    ...entry('Count', row.count),
    ...entry('Last seen', row.lastSeen),
    ...entry('What to do', row.remediation),
    ...(links.length === 0 ? [] : [make(page, 'dt', {}, 'References'), make(page, 'dd', {}, ...links)]),
    ...entry('Report', row.report),
    ...entry('Event', row.name),
    ...entry('Details', row.details === undefined ? '' : JSON.stringify(row.details, undefined, 2)),
  );
  return [make(page, 'h2', { id: 'details-title' }, row.title || row.summary || row.name), list];
}

/** Draws the page and reacts to its reader. */
function startReport(page: Page): void {
  const perPage = 100;
  const byId = (id: string) => page.getElementById(id) as Element;
  const data = JSON.parse(byId('data').textContent ?? '') as PageData;
  const haystacks = new Map<Row, string>();
  for (const row of data.rows) {
    const { name, title, summary, subject, namespace, source, type, rule } = row;
    haystacks.set(row, [name, title, summary, subject, namespace, source, type, rule].join('\n').toLowerCase());
  }
  const none = () => new Set<string>();
  const state: State = {
    chosen: { severity: none(), source: none(), namespace: none(), type: none(), change: none() },
    words: '',
    sort: 'severity',
    isDescending: false,
    page: 0,
  };
  const dialog = byId('details');
  const open = (row: Row) => {
    byId('details-body').replaceChildren(...drawDetails(page, row));
    dialog.showModal();
  };
  const draw = () => {
    const words = state.words.toLowerCase().split(/\s+/).filter(Boolean);
    const found = data.rows.filter((row) => words.every((word) => haystacks.get(row)?.includes(word)));
    for (const facet of Object.keys(state.chosen) as Facet[]) {
      const within = found.filter((row) => isChosen(row, state.chosen, facet));
      byId(`chart-${facet}`).replaceChildren(
        ...drawChart(page, facet, within, state, () => {
          draw();
        }),
      );
    }
    const rows = inOrder(
      found.filter((row) => isChosen(row, state.chosen)),
      state,
    );
    const pages = Math.max(1, Math.ceil(rows.length / perPage));
    state.page = Math.min(state.page, pages - 1);
    const first = state.page * perPage;
    const shown = rows.slice(first, first + perPage);
    byId('rows').replaceChildren(...shown.map((row) => drawRow(page, row, () => open(row))));
    const range = rows.length === 0 ? 'no findings' : `${first + 1} to ${first + shown.length} of ${rows.length}`;
    byId('range').textContent = `${range}${rows.length === data.rows.length ? '' : ` (${data.rows.length} in all)`}`;
    byId('previous').disabled = state.page === 0;
    byId('next').disabled = state.page === pages - 1;
    for (const key of ['severity', 'source', 'namespace', 'subject', 'summary', 'type', 'count'] as SortKey[]) {
      const order = state.isDescending ? 'descending' : 'ascending';
      byId(`head-${key}`).setAttribute('aria-sort', state.sort === key ? order : 'none');
    }
  };
  const turn = (by: number) => {
    state.page = Math.max(0, state.page + by);
    draw();
  };
  byId('previous').addEventListener('click', () => turn(-1));
  byId('next').addEventListener('click', () => turn(1));
  for (const key of ['severity', 'source', 'namespace', 'subject', 'summary', 'type', 'count'] as SortKey[]) {
    byId(`sort-${key}`).addEventListener('click', () => {
      state.isDescending = state.sort === key && !state.isDescending;
      state.sort = key;
      draw();
    });
  }
  const search = byId('search');
  search.addEventListener('input', () => {
    state.words = search.value;
    state.page = 0;
    draw();
  });
  byId('reset').addEventListener('click', () => {
    for (const set of Object.values(state.chosen)) set.clear();
    search.value = '';
    state.words = '';
    state.page = 0;
    draw();
  });
  byId('theme').addEventListener('click', () => {
    const next = page.documentElement.dataset['theme'] === 'dark' ? 'light' : 'dark';
    page.documentElement.dataset['theme'] = next;
  });
  byId('close').addEventListener('click', () => dialog.close());
  page.addEventListener('keydown', (event) => {
    const isTyping = ['INPUT', 'SELECT', 'TEXTAREA'].includes(event.target.tagName);
    if (event.key !== '/' || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    search.focus();
  });
  draw();
}

/** The script as text. */
export function reportScript(): string {
  const functions = [
    make,
    rankOfSeverity,
    isChosen,
    countBy,
    drawChart,
    inOrder,
    drawRow,
    drawDetails,
    startReport,
  ].map(String);
  return `'use strict';\n${functions.join('\n')}\n${startReport.name}(document);`;
}
