/**
 * The alerts: each has a runbook, names metrics that exist, fires in its scenario, and is quiet on series recorded from a
 * healthy daemon. promtool (Debian's package prometheus) judges.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { parse, stringify } from 'yaml';
import { metricsOfDaemon } from '../../cmd/generate/metrics-doc.ts';
import { alertScenarios } from '../observability/alert-scenarios.ts';
import { skipWithout } from '../support/debian-tools.ts';
import { repositoryRoot } from '../support/repository.ts';

const rulesFile = join(repositoryRoot, 'charts/zen-watcher/files/alerts.yaml');
const runbooks = join(repositoryRoot, 'docs/runbooks');

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

const rules = parse(readFileSync(rulesFile, 'utf8')).groups.flatMap(
  ({ rules: own }: { rules: Rule[] }) => own,
) as Rule[];
const recorded = JSON.parse(readFileSync(join(repositoryRoot, 'test/observability/healthy-series.json'), 'utf8')) as {
  readonly minutes: number;
  readonly everySeconds: number;
  readonly replicas: number;
  /** In promtool's notation. */
  readonly series: Readonly<Record<string, string>>;
};
const skip = skipWithout('promtool');

interface RuleTest {
  readonly interval: string;
  readonly input_series: readonly { readonly series: string; readonly values: string }[];
  readonly promql_expr_test: readonly {
    readonly expr: string;
    readonly eval_time: string;
    readonly exp_samples: readonly { readonly labels: string; readonly value: number }[];
  }[];
}

function promtool(t: TestContext, tests: readonly RuleTest[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'zen-alerts-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'test.yaml');
  writeFileSync(file, stringify({ rule_files: [rulesFile], evaluation_interval: '1m', tests }));
  const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', file], { encoding: 'utf8' });
  return status === 0 ? '' : `${stdout}${stderr}`;
}

/** How many alerts of that name fire at that minute. */
function firing(alert: string, minute: number, count: number): RuleTest['promql_expr_test'][number] {
  const expr = `count(ALERTS{alertname="${alert}",alertstate="firing"})`;
  return { expr, eval_time: `${minute}m`, exp_samples: count === 0 ? [] : [{ labels: '{}', value: count }] };
}

const inputOf = (series: Readonly<Record<string, string>>) =>
  Object.entries(series).map(([name, values]) => ({ series: name, values }));

/** The value at the end of `0x3 1 2x4`; of a replica that was replaced there is none any more. */
const lastOf = (values: string) => values.split(' ').at(-1)?.split('x')[0] ?? '_';

suite('alerts', () => {
  test('each has a severity, words, a runbook, and a scenario', () => {
    for (const { alert, labels, annotations } of rules) {
      assert.match(labels['severity'] ?? '', /^(critical|warning|info)$/);
      assert.ok(annotations['summary'] && annotations['description'], alert);
      assert.ok(annotations['runbook_url']?.endsWith(`/docs/runbooks/${alert}.md`), alert);
      const page = readFileSync(join(runbooks, `${alert}.md`), 'utf8');
      assert.ok(page.includes('## What to do\n\n1. '), alert);
      for (const [, link = ''] of page.matchAll(/\]\(([^)#]+)/g)) {
        if (!link.startsWith('http')) assert.ok(existsSync(join(runbooks, link)), `${alert}: ${link}`);
      }
      assert.ok(page.includes(alert));
    }
    assert.deepEqual(rules.map(({ alert }) => alert).toSorted(), alertScenarios.map(({ alert }) => alert).toSorted());
  });

  test('name metrics that the daemon has, and pages show the rule as it is', () => {
    const known = new Set(
      metricsOfDaemon().flatMap(({ name }) => [name, `${name}_bucket`, `${name}_count`, `${name}_sum`]),
    );
    for (const { alert, expr } of rules) {
      const unknown = (expr.match(/\b(?:zen_watcher|nodejs)_\w+/g) ?? []).filter((name) => !known.has(name));
      assert.deepEqual(unknown, [], alert);
      assert.ok(readFileSync(join(runbooks, `${alert}.md`), 'utf8').includes(expr), alert);
    }
  });

  test('each fires in its scenario, and not before its time', { skip }, (t) => {
    const tests = alertScenarios.map(
      ({ alert, series, at, notAt }): RuleTest => ({
        interval: '1m',
        input_series: inputOf(series),
        promql_expr_test: [firing(alert, at, 1), ...(notAt === undefined ? [] : [firing(alert, notAt, 0)])],
      }),
    );
    assert.equal(promtool(t, tests), '');
  });

  test('are quiet on what only looks alike', { skip }, (t) => {
    const tests = alertScenarios.flatMap(({ alert, quiet, at }): RuleTest[] =>
      quiet === undefined
        ? []
        : [{ interval: '1m', input_series: inputOf(quiet), promql_expr_test: [firing(alert, at, 0)] }],
    );
    assert.ok(tests.length > 3);
    assert.equal(promtool(t, tests), '');
  });

  test('all are quiet on ten healthy minutes of two replicas and a rollout, and on hours more of the same', {
    skip,
  }, (t) => {
    assert.ok(recorded.minutes >= 10 && recorded.replicas === 3);
    const led = Object.entries(recorded.series).filter(([name]) => /^zen_watcher_shards\{.*state="led"/.test(name));
    const leaders = led.filter(([, values]) => /\b1/.test(values.replaceAll(/x\d+/g, '')));
    assert.equal(leaders.length, 2, 'one led, and after the rollout another one');
    // What alerts look at, but for what only a fault makes.
    const names = new Set(Object.keys(recorded.series).map((name) => name.replace(/\{.*/, '')));
    const asked = new Set(rules.flatMap(({ expr }) => expr.match(/\b(?:zen_watcher|nodejs)_\w+/g) ?? []));
    assert.deepEqual(
      [...asked].filter((name) => !names.has(name)),
      [],
    );
    // promtool goes on as at the end: counters and gauges stay as they are.
    const extended = Math.ceil((2 * 3600) / recorded.everySeconds);
    const series = Object.entries(recorded.series).map(([name, values]) => ({
      series: name,
      values: `${values} ${lastOf(values)}x${extended}`,
    }));
    const everyMinute = Array.from({ length: recorded.minutes }, (_, minute) => minute);
    const quiet = [...everyMinute, 30, 60, 120].map((minute) => ({
      expr: 'count by (alertname) (ALERTS)',
      eval_time: `${minute}m`,
      exp_samples: [],
    }));
    assert.equal(
      promtool(t, [{ interval: `${recorded.everySeconds}s`, input_series: series, promql_expr_test: quiet }]),
      '',
    );
  });

  test('a rule that is never true is found', { skip }, (t) => {
    assert.match(
      promtool(t, [{ interval: '1m', input_series: [], promql_expr_test: [firing('ZenWatcherTampering', 5, 1)] }]),
      /FAILED/,
    );
  });
});
