/** `scan -o html`: one file that works alone, whatever the findings say, with a keyboard, on a phone, with 20,000 of them. */
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { ZenAgentEvent } from '../../src/api/event.ts';
import { severities } from '../../src/api/words.ts';
import { renderHtml } from '../../src/cli/html-output.ts';
import type { PageData } from '../../src/cli/report-page/data.ts';
import { BrowserPage } from '../support/browser.ts';
import { skipWithout } from '../support/debian-tools.ts';

const hostile = `</script><script>window.pwned=1</script><img src=x onerror="window.pwned=1">{{7*7}}\u2028<!--`;

function eventOf(index: number, text = `Finding ${index} of a library`): ZenAgentEvent {
  const severity = severities[index % severities.length] ?? 'unknown';
  return {
    apiVersion: 'zen.kube-zen.io/v1',
    kind: 'ZenAgentEvent',
    metadata: { name: `trivy-${index}`, namespace: 'zen-system', labels: {} },
    spec: {
      source: 'trivy',
      category: 'security',
      severity,
      eventType: 'vulnerability',
      title: text,
      summary: text.slice(0, 48),
      resource: { kind: 'Deployment', name: `app-${index % 900}`, namespace: `team-${index % 40}` },
      details: { note: text, vulnerabilityID: `CVE-2099-${index}` },
      references: ['https://example.org/cve', 'javascript:window.pwned=1'],
    },
    status: { phase: 'Active', count: 1 },
  };
}

function pageOf(events: readonly ZenAgentEvent[]): string {
  const ruleOf = (name: string) => `CVE-2099-${name.split('-')[1]}`;
  return [...renderHtml(events, { version: '1.2.3', generatedAt: new Date(0), ruleOf })].join('');
}

suite('the HTML report as text', () => {
  const html = pageOf([eventOf(1, hostile), eventOf(2)]);

  test('holds the findings as data that nothing in them can leave', () => {
    assert.equal(html.match(/<script/g)?.length, 2);
    assert.equal(html.match(/<\/script/g)?.length, 2);
    assert.ok(!html.includes('<img') && !html.includes('\u2028'));
    const [, block = ''] = /id="data">([^<]*)<\/script>/.exec(html) ?? [];
    const { rows } = JSON.parse(block) as PageData;
    assert.equal(rows.length, 2);
    assert.equal(rows[0]?.title, hostile);
  });

  test('lets nothing run but its own script, and loads nothing', () => {
    const [, policy = ''] = /Content-Security-Policy" content="([^"]+)"/.exec(html) ?? [];
    const [, script = ''] = /<script>([\s\S]*?)<\/script>/.exec(html) ?? [];
    const [, style = ''] = /<style>([\s\S]*?)<\/style>/.exec(html) ?? [];
    assert.ok(policy.startsWith("default-src 'none';"));
    assert.ok(policy.includes(`script-src 'sha256-${hash('sha256', script, 'base64')}'`));
    assert.ok(policy.includes(`style-src 'sha256-${hash('sha256', style, 'base64')}'`));
    const addresses = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, address]) => address);
    assert.deepEqual(addresses, ['data:,']);
    assert.ok(!/innerHTML|outerHTML|insertAdjacent|document\.write|eval\(/.test(script));
  });

  test('of no findings is a page as well', () => assert.match(pageOf([]), /"rows":\[\]\}/));
});

suite('the HTML report in a browser', { skip: skipWithout('chromium') }, () => {
  let folder: string;
  let browser: BrowserPage;
  const shown = () => browser.ask('document.getElementById("range").textContent');
  const focused = () => browser.ask('document.activeElement.id');

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'zen-html-'));
    const many = Array.from({ length: 20_000 }, (_, index) => eventOf(index, index === 0 ? hostile : undefined));
    writeFileSync(join(folder, 'report.html'), pageOf(many));
    browser = await BrowserPage.open('chromium');
    await browser.size(1280, 900);
    await browser.goTo(pathToFileURL(join(folder, 'report.html')).href);
  });
  after(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('shows 20,000 findings in pages', async (t) => {
    assert.equal(await shown(), '1 to 100 of 20000');
    assert.equal(await browser.ask('document.querySelectorAll("tbody tr").length'), 100);
    const click = 'document.getElementById("next").click()';
    const milliseconds = await browser.ask(
      `(() => { const from = performance.now(); ${click}; return performance.now() - from })()`,
    );
    t.diagnostic(`a page of 20,000 findings is turned in ${Math.round(Number(milliseconds))} ms`);
    assert.equal(await shown(), '101 to 200 of 20000');
    await browser.ask('document.getElementById("previous").click()');
  });

  test('is searched, filtered and read with the keyboard alone', async (t) => {
    const search = `new Promise((done) => { const from = performance.now(); const field = document.getElementById("search");
      field.value = "team-37"; field.dispatchEvent(new Event("input"));
      requestAnimationFrame(() => setTimeout(() => { done(performance.now() - from); field.value = ""; field.dispatchEvent(new Event("input")) })) })`;
    t.diagnostic(`20,000 findings are searched and drawn in ${Math.round(Number(await browser.ask(search)))} ms`);
    await browser.press('/');
    assert.equal(await focused(), 'search');
    await browser.type('CVE-2099-77 team-37');
    assert.equal(await shown(), '1 to 4 of 4 (20000 in all)');
    await browser.ask('document.querySelector("#chart-severity button").focus()');
    await browser.press('Enter');
    assert.match(String(await shown()), /^1 to \d+ of \d+ \(20000 in all\)$/);
    assert.equal(await browser.ask('document.querySelector("#chart-severity [aria-pressed=true]") !== null'), true);
    await browser.ask('document.querySelector("tbody button").focus()');
    await browser.press('Enter');
    assert.equal(await browser.ask('document.getElementById("details").open'), true);
    await browser.press('Escape');
    assert.equal(await browser.ask('document.getElementById("details").open'), false);
    await browser.ask('document.getElementById("reset").click()');
    await browser.ask('document.getElementById("sort-severity").click()');
    assert.equal(await browser.ask('document.getElementById("head-severity").getAttribute("aria-sort")'), 'descending');
    await browser.ask('document.getElementById("sort-severity").click()');
  });

  test('shows hostile text as text, and links to the web only', async () => {
    await browser.ask('document.getElementById("search").value = "window.pwned"');
    await browser.ask('document.getElementById("search").dispatchEvent(new Event("input"))');
    assert.equal(await shown(), '1 to 1 of 1 (20000 in all)');
    await browser.ask('document.querySelector("tbody button").click()');
    assert.equal(await browser.ask('document.getElementById("details-title").textContent'), hostile);
    assert.deepEqual(await browser.ask('[...document.links].map((link) => link.href)'), ['https://example.org/cve']);
    assert.equal(await browser.ask('typeof window.pwned'), 'undefined');
    await browser.ask('document.getElementById("close").click()');
    await browser.ask('document.getElementById("reset").click()');
  });

  test('fits a phone, light and dark', async () => {
    for (const isDark of [false, true]) {
      await browser.dark(isDark);
      await browser.size(390, 844);
      assert.equal(await browser.ask('document.documentElement.scrollWidth <= window.innerWidth'), true);
      const ground = await browser.ask('getComputedStyle(document.body).backgroundColor');
      assert.equal(ground, isDark ? 'rgb(20, 23, 26)' : 'rgb(255, 255, 255)');
    }
  });

  test('complains of nothing', () => assert.deepEqual(browser.errors, []));
});
