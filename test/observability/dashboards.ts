/**
 * Draws the dashboards of the chart with the answers of a real Prometheus that scraped a daemon in which everything moved, opens
 * them in Chromium at the width of a desk and of a phone, and takes pictures to look at: `node test/observability/dashboards.ts
 * [folder]`. Fails where a panel is empty, the console complains, a page is wider than the screen, or a panel cannot be reached
 * by keyboard. Without the programs it says so and does nothing.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { BrowserPage } from '../support/browser.ts';
import { askPanels, type DashboardJson, dashboardPage } from '../support/dashboard-page.ts';
import { skipWithout } from '../support/debian-tools.ts';
import { moveEverything, startMovingMetrics } from '../support/moving-metrics.ts';
import { Prometheus } from '../support/prometheus.ts';
import { repositoryRoot } from '../support/repository.ts';
import { Stage } from '../support/stage.ts';

const files = join(repositoryRoot, 'charts/zen-watcher/files');
const folder = process.argv[2] ?? mkdtempSync(join(tmpdir(), 'zen-dashboards-'));
const widths = [
  { width: 1440, height: 1000 },
  { width: 390, height: 844 },
];
const absent = skipWithout('prometheus') || skipWithout('chromium');
if (absent !== false) console.log(`no pictures: ${absent}`);
else await draw();

async function draw(): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const pages = await drawPages();
  const browser = await BrowserPage.open('chromium');
  const problems: string[] = [];
  try {
    for (const page of pages) {
      for (const { width, height } of widths) {
        await browser.size(width, height);
        await browser.goTo(pathToFileURL(page).href);
        problems.push(...(await look(browser)).map((problem) => `${basename(page)} at ${width}: ${problem}`));
        // All of it, not only what a screen shows.
        const whole = Number(await browser.ask('document.documentElement.scrollHeight'));
        await browser.size(width, Math.min(whole, 6_000));
        await browser.screenshot(page.replace('.html', `-${width}.png`));
      }
    }
    problems.push(...browser.errors.map((error) => `the console: ${error}`));
  } finally {
    await browser.close();
  }
  console.log(`${pages.length} dashboards at ${widths.length} widths in ${folder}`);
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
}

/** Everything moves once, then the queries are asked. Gives the files. */
async function drawPages(): Promise<string[]> {
  const stage = await Stage.start();
  try {
    const moving = await startMovingMetrics(stage);
    const prometheus = await Prometheus.start(moving.daemon.port, join(files, 'alerts.yaml'));
    try {
      const start = Math.floor(Date.now() / 1000);
      await moveEverything(moving, prometheus, { isWhole: true });
      const range = { start, end: Math.floor(Date.now() / 1000), step: 1 };
      const pages: string[] = [];
      for (const file of readdirSync(join(files, 'dashboards'))) {
        const dashboard = JSON.parse(readFileSync(join(files, 'dashboards', file), 'utf8')) as DashboardJson;
        const panels = await askPanels(dashboard, prometheus, range);
        const page = join(folder, file.replace('.json', '.html'));
        writeFileSync(page, dashboardPage(dashboard, panels));
        pages.push(page);
      }
      return pages;
    } finally {
      await prometheus.stop();
      await stage.end(moving.daemon);
      await moving.proxy.close();
    }
  } finally {
    await stage.stop();
  }
}

async function look(browser: BrowserPage): Promise<string[]> {
  const problems: string[] = [];
  const titles =
    'JSON.stringify([...document.querySelectorAll("section[data-series=\\"0\\"] h2")].map((one) => one.textContent))';
  for (const title of JSON.parse(String(await browser.ask(titles))) as string[]) problems.push(`"${title}" is empty`);
  if ((await browser.ask('document.documentElement.scrollWidth <= innerWidth')) !== true) problems.push('is too wide');
  const panels = Number(await browser.ask('document.querySelectorAll("section").length'));
  const reached = new Set<unknown>();
  await browser.ask('document.activeElement.blur()');
  for (let press = 0; press < panels + 5; press += 1) {
    await browser.press('Tab');
    reached.add(await browser.ask('document.activeElement.closest("section")?.getAttribute("aria-label")'));
  }
  reached.delete(undefined);
  if (reached.size < panels) problems.push(`${reached.size} of ${panels} panels can be reached by keyboard`);
  return problems;
}
