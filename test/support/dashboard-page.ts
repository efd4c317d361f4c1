/**
 * Draws the panels of a Grafana dashboard with a Prometheus' answers, as one HTML file: to look at them without a Grafana. The
 * same queries, units, legends, thresholds and places; lines by uPlot, as in Grafana.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Prometheus, Series } from './prometheus.ts';

/** What of a dashboard's JSON is drawn. */
export interface DashboardJson {
  readonly title: string;
  readonly description: string;
  readonly panels: readonly PanelJson[];
}

interface PanelJson {
  readonly id: number;
  readonly title: string;
  readonly description: string;
  readonly type: 'stat' | 'timeseries' | 'bargauge' | 'table';
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
  readonly fieldConfig: {
    readonly defaults: {
      readonly unit: string;
      readonly mappings?: readonly { readonly options: Readonly<Record<string, { readonly text: string }>> }[];
      readonly thresholds: {
        readonly steps: readonly { readonly color: string; readonly value: number | null }[];
      };
    };
    readonly overrides: readonly {
      readonly matcher: { readonly options: string };
      readonly properties: readonly { readonly value: { readonly fixedColor: string } }[];
    }[];
  };
}

/** A panel with what its queries answered. */
export interface DrawnPanel {
  readonly panel: PanelJson;
  readonly series: readonly { readonly label: string; readonly values: readonly (readonly [number, string])[] }[];
}

export interface TimeRange {
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** Asks all queries of a dashboard, as Grafana would. */
export async function askPanels(
  { panels }: DashboardJson,
  prometheus: Prometheus,
  range: TimeRange,
): Promise<DrawnPanel[]> {
  return Promise.all(
    panels.map(async (panel) => {
      const answers = panel.targets.map(async ({ expr, legendFormat }) => {
        const query = expr.replaceAll('$__rate_interval', `${Math.max(15, range.step * 4)}s`);
        const series =
          panel.type === 'timeseries'
            ? await prometheus.range(query, range)
            : (await prometheus.query(query)).map(({ metric, value }) => ({ metric, values: [value] }));
        return series.map((one) => ({ label: labelOf(one, legendFormat, panel.title), values: one.values }));
      });
      return { panel, series: (await Promise.all(answers)).flat() };
    }),
  );
}

function labelOf({ metric }: Series, format: string, title: string): string {
  if (format !== '__auto') return format.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => metric[label] ?? '');
  const { __name__: name = '', ...labels } = metric;
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return pairs.length === 0 ? name || title : `${name}{${pairs.join(', ')}}`;
}

const library = dirname(createRequire(import.meta.url).resolve('uplot/package.json'));

/** The page. */
export function dashboardPage(dashboard: DashboardJson, panels: readonly DrawnPanel[]): string {
  const data = JSON.stringify(panels).replaceAll('<', '\\u003c');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${dashboard.title}</title><link rel="icon" href="data:,">
<style>${readFileSync(join(library, 'dist/uPlot.min.css'), 'utf8')}${style}</style></head>
<body><h1>${dashboard.title}</h1><p>${dashboard.description}</p><main id="panels"></main>
<script id="data" type="application/json">${data}</script>
<script>${readFileSync(join(library, 'dist/uPlot.iife.min.js'), 'utf8')}</script>
<script>${script}</script></body></html>
`;
}

const style = `
body { font: 14px system-ui, sans-serif; margin: 16px; background: #f4f5f5; color: #24292e }
h1 { font-size: 20px; margin: 0 } p { margin: 4px 0 12px; color: #555 }
main { display: grid; grid-template-columns: repeat(24, minmax(0, 1fr)); grid-auto-rows: 36px; gap: 8px }
section { background: #fff; border: 1px solid #d8d9da; border-radius: 3px; padding: 6px 8px; display: flex; flex-direction: column; min-width: 0; overflow: hidden }
section:focus { outline: 2px solid #1f60c4 }
h2 { font-size: 13px; margin: 0 0 4px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis }
.stats { display: flex; flex: 1; align-items: center; justify-content: space-around; gap: 8px; min-height: 0 }
.stat { text-align: center; min-width: 0 } .stat b { display: block; font-size: 28px } .stat small { overflow-wrap: anywhere }
.chart { flex: 1; min-height: 0 } .legend { font-size: 12px; max-height: 42px; overflow: auto } .legend span { margin-right: 10px; white-space: nowrap }
.legend i { display: inline-block; width: 10px; height: 3px; margin-right: 4px; vertical-align: middle }
.scroll { overflow: auto; flex: 1 } table { width: 100%; border-collapse: collapse } td, th { text-align: left; padding: 2px 6px; border-bottom: 1px solid #eee }
.bar { display: grid; grid-template-columns: 30% 1fr 60px; gap: 6px; align-items: center; margin: 3px 0 } .bar i { display: block; height: 14px }
.empty { margin: auto; color: #888 }
@media (max-width: 600px) { body { margin: 8px } main { display: block } section { margin-bottom: 8px; min-height: 96px } section.timeseries { height: 280px } section.table, section.bargauge { max-height: 320px } }
`;

const script = `
const colors = ['#73bf69', '#f2cc0c', '#5794f2', '#ff780a', '#b877d9', '#e02f44', '#37872d', '#8ab8ff', '#c4162a', '#705da0'];
const make = (tag, parent, text, kind) => { const one = document.createElement(tag); if (text !== undefined) one.textContent = text; if (kind) one.className = kind; parent.append(one); return one };
const scaled = (value, base, units) => { let at = 0; while (Math.abs(value) >= base && at < units.length - 1) { value /= base; at += 1 } return Number(value.toPrecision(3)) + units[at] };
const formats = {
  short: (value) => scaled(value, 1000, ['', ' K', ' Mil']),
  s: (value) => value === 0 ? '0 s' : value < 0.001 ? Number((value * 1e6).toPrecision(3)) + ' µs' : value < 1 ? Number((value * 1000).toPrecision(3)) + ' ms' : value < 120 ? Number(value.toPrecision(3)) + ' s' : Number((value / 60).toPrecision(3)) + ' min',
  bytes: (value) => scaled(value, 1024, [' B', ' KiB', ' MiB', ' GiB']),
  percentunit: (value) => Number((value * 100).toPrecision(3)) + '%',
  reqps: (value) => Number(value.toPrecision(3)) + ' req/s',
};
function drawn({ panel, series }) {
  const { unit, thresholds, mappings = [] } = panel.fieldConfig.defaults;
  const number = formats[unit] || ((value) => scaled(value, 1000, ['', ' K']) + ' ' + unit);
  const format = (value) => { for (const { options } of mappings) if (options[value]) return options[value].text; return number(value) };
  const colorOf = (value) => thresholds.steps.filter((step) => step.value === null || value >= step.value).at(-1).color;
  const fixed = new Map(panel.fieldConfig.overrides.map(({ matcher, properties }) => [matcher.options, properties[0].value.fixedColor]));
  const strokes = series.map(({ label }, at) => fixed.get(label) || colors[at % colors.length]);
  const { x, y, w, h } = panel.gridPos;
  const section = make('section', document.getElementById('panels'), undefined, panel.type);
  section.tabIndex = 0; section.title = panel.description; section.dataset.series = series.length; section.setAttribute('aria-label', panel.title);
  section.style.gridColumn = (x + 1) + ' / span ' + w; section.style.gridRow = (y + 1) + ' / span ' + h;
  make('h2', section, panel.title);
  const last = (one) => Number(one.values.at(-1)[1]);
  if (series.length === 0) return make('div', section, 'No data', 'empty');
  if (panel.type === 'stat') {
    const stats = make('div', section, undefined, 'stats');
    for (const one of series) {
      const stat = make('div', stats, undefined, 'stat');
      make('b', stat, format(last(one))).style.color = colorOf(last(one));
      if (series.length > 1 || one.label !== panel.title) make('small', stat, one.label);
    }
  } else if (panel.type === 'timeseries') {
    const times = [...new Set(series.flatMap(({ values }) => values.map(([at]) => at)))].sort((a, b) => a - b);
    const chart = make('div', section, undefined, 'chart');
    const legend = make('div', section, undefined, 'legend');
    series.forEach(({ label }, at) => { const one = make('span', legend); make('i', one).style.background = strokes[at]; one.append(label) });
    const rows = series.map(({ values }) => { const by = new Map(values.map(([at, value]) => [at, Number(value)])); return times.map((at) => Number.isFinite(by.get(at)) ? by.get(at) : null) });
    const plot = new uPlot({ width: chart.clientWidth, height: Math.max(80, chart.clientHeight), legend: { show: false }, series: [{}, ...series.map(({ label }, at) => ({ label, stroke: strokes[at], width: 1.5, points: { show: times.length < 2 } }))], axes: [{}, { size: 84, values: (_, ticks) => ticks.map(format) }], scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.05 : 1] } } }, [times, ...rows], chart);
    addEventListener('resize', () => plot.setSize({ width: chart.clientWidth, height: Math.max(80, chart.clientHeight) }));
  } else if (panel.type === 'bargauge') {
    const most = Math.max(...series.map(last));
    const scroll = make('div', section, undefined, 'scroll');
    for (const one of series) {
      const bar = make('div', scroll, undefined, 'bar');
      make('span', bar, one.label);
      const fill = make('i', make('span', bar)); fill.style.width = (100 * last(one) / most) + '%'; fill.style.background = colorOf(last(one));
      make('b', bar, format(last(one)));
    }
  } else {
    const table = make('table', make('div', section, undefined, 'scroll'));
    for (const one of series) { const row = make('tr', table); make('td', row, one.label); make('td', row, format(last(one))) }
  }
}
JSON.parse(document.getElementById('data').textContent).forEach(drawn);
`;
