/**
 * Events as one HTML file that needs nothing else: it works from a disk, without a network. Text of reports is only in a
 * JSON block that no markup can leave, and the policy of the page lets nothing run but its own script.
 */
import { hash } from 'node:crypto';
import type { ZenAgentEvent } from '../api/event.ts';
import { changeOf } from './baseline.ts';
import { rowOf } from './report-page/data.ts';
import { reportScript } from './report-page/script.ts';
import { style } from './report-page/style.ts';

/** What the page says besides the events. */
export interface HtmlContext {
  readonly version: string;
  readonly generatedAt: Date;
  /** What people filter and mute an event by. */
  ruleOf(event: string): string | undefined;
}

/** The pieces of the file. */
export function* renderHtml(events: readonly ZenAgentEvent[], context: HtmlContext): Generator<string> {
  const script = reportScript();
  const generatedAt = context.generatedAt.toISOString();
  const isCompared = events.some((event) => changeOf(event) !== undefined);
  yield head({ script, generatedAt, version: context.version, isCompared });
  yield `<script type="application/json" id="data">{"version":${json(context.version)},"generatedAt":${json(generatedAt)},"rows":[`;
  for (const [at, event] of events.entries()) {
    yield `${at === 0 ? '' : ',\n'}${json(rowOf(event, context.ruleOf(event.metadata.name) ?? ''))}`;
  }
  yield `]}</script>\n<script>${script}</script>\n</body>\n</html>\n`;
}

/** JSON that cannot end the block that it stands in, whatever a report says. */
function json(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

const charts = [
  ['severity', 'By severity'],
  ['source', 'By source'],
  ['namespace', 'By namespace'],
  ['type', 'By type'],
] as const;

const columns = [
  ['severity', 'Severity'],
  ['source', 'Source'],
  ['namespace', 'Namespace'],
  ['subject', 'Subject'],
  ['summary', 'Finding'],
  ['type', 'Type'],
  ['count', 'Count'],
] as const;

interface HeadParts {
  readonly script: string;
  readonly generatedAt: string;
  readonly version: string;
  readonly isCompared: boolean;
}

function head({ script, generatedAt, version, isCompared }: HeadParts): string {
  const policy = `default-src 'none'; img-src data:; script-src '${sha256(script)}'; style-src '${sha256(style)}'; base-uri 'none'; form-action 'none'`;
  const chart = ([facet, title]: readonly [string, string], isHidden = false) =>
    `<section class="chart"${isHidden ? ' hidden' : ''}><h2>${title}</h2><div id="chart-${facet}"></div></section>`;
  const column = ([key, title]: readonly [string, string]) =>
    `<th id="head-${key}" scope="col"><button type="button" id="sort-${key}">${title}</button></th>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="referrer" content="no-referrer">
<title>zen-watcher: findings of ${generatedAt.slice(0, 10)}</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<header>
<h1>Security findings</h1>
<span class="soft">zen-watcher ${version}, ${generatedAt.replace('T', ' ').slice(0, 16)} UTC</span>
<span class="grow"></span>
<button type="button" id="theme">Light or dark</button>
</header>
<main>
<div class="charts">
${charts.map((each) => chart(each)).join('\n')}
${chart(['change', 'Against the baseline'], !isCompared)}
</div>
<div class="tools">
<input id="search" type="search" placeholder="Search: CVE, workload, namespace, rule" aria-label="Search">
<button type="button" id="reset">Show all</button>
<span class="soft">press <kbd>/</kbd> to search, a bar to filter</span>
</div>
<div class="scroll"><table aria-label="Findings">
<thead><tr>${columns.map(column).join('')}</tr></thead>
<tbody id="rows"></tbody>
</table></div>
<nav class="pages" aria-label="Pages">
<button type="button" id="previous">Previous</button>
<span id="range" role="status"></span>
<button type="button" id="next">Next</button>
</nav>
<noscript>This report needs JavaScript, which is in the file itself.</noscript>
</main>
<dialog id="details" aria-labelledby="details-title"><div id="details-body"></div><button type="button" id="close">Close</button></dialog>
`;
}

function sha256(text: string): string {
  return `sha256-${hash('sha256', text, 'base64')}`;
}
