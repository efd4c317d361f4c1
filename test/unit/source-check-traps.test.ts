/** One test per trap of SARIF and of the tools that check a whole cluster. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { recognise } from '../../src/sources/recognise.ts';
import type { Finding, RawDocument, Reading } from '../../src/sources/source.ts';
import { eventsOf } from '../support/format-cases.ts';
import { nameOf, readAt } from '../support/reports.ts';

type Entry = Readonly<Record<string, unknown>>;

function readings(document: RawDocument): readonly Reading[] {
  const format = recognise(document);
  assert.ok(format !== undefined, 'no format recognises the document');
  return format.read(document, { now: readAt });
}

function findings(document: RawDocument): readonly Finding[] {
  return readings(document).flatMap((reading) => reading.findings);
}

function only<T>(items: readonly T[]): T {
  const [item] = items;
  assert.ok(item !== undefined && items.length === 1, `expected one, found ${items.length}`);
  return item;
}

function names(document: RawDocument): string[] {
  return [...new Set(findings(document).map(nameOf))].sort();
}

suite('SARIF', () => {
  const place = (uri: string, startLine: number) => ({
    locations: [{ physicalLocation: { artifactLocation: { uri }, region: { startLine } } }],
  });
  const log = (results: unknown, rules: readonly Entry[] = [], run: Entry = {}) => ({
    version: '2.1.0',
    runs: [{ tool: { driver: { name: 'Parsley', rules } }, results, ...run }],
  });
  const severityOf = (result: Entry, rules: readonly Entry[] = []) =>
    only(findings(log([{ ruleId: 'r', ...result }], rules))).severity;

  test('the level: of the result, of its rule, else warning', () => {
    assert.equal(severityOf({ level: 'error' }), 'high');
    assert.equal(severityOf({}, [{ id: 'r', defaultConfiguration: { level: 'note' } }]), 'low');
    assert.equal(severityOf({}, [{ id: 'r' }]), 'medium');
    assert.equal(severityOf({ level: 'none' }), 'info');
    assert.equal(severityOf({ level: 'odd' }), 'unknown');
  });

  test('a security severity goes first, as a number or as a word', () => {
    const rule = (severity: unknown) => [{ id: 'r', properties: { 'security-severity': severity } }];
    const scores = { '9.0': 'critical', '8.9': 'high', '6.9': 'medium', '0.1': 'low', '0.0': 'info' } as const;
    for (const [score, severity] of Object.entries(scores)) {
      assert.equal(severityOf({ level: 'note' }, rule(score)), severity);
    }
    assert.equal(severityOf({}, rule(7)), 'high');
    assert.equal(severityOf({}, rule('CRITICAL')), 'critical');
    assert.equal(severityOf({ level: 'error' }, rule('spicy')), 'high');
    assert.equal(severityOf({ properties: { 'security-severity': '2' } }, rule('9')), 'low');
  });

  test('what passed, was suppressed or is gone is no finding; a refused suppression is one', () => {
    const count = (result: Entry) => findings(log([{ ruleId: 'r', ...result }])).length;
    for (const kind of ['pass', 'open', 'informational', 'notApplicable', 'review']) assert.equal(count({ kind }), 0);
    assert.equal(count({ baselineState: 'absent' }), 0);
    for (const baselineState of ['new', 'unchanged', 'updated']) assert.equal(count({ baselineState }), 1);
    assert.equal(count({ suppressions: [{ kind: 'inSource' }] }), 0);
    assert.equal(count({ suppressions: [] }), 1);
    assert.equal(count({ suppressions: [{ kind: 'external', status: 'underReview' }] }), 1);
  });

  test('the rule: by id, by either index, by the head of a finer id', () => {
    const rules = [{ id: 'zero' }, { id: 'CA1000', defaultConfiguration: { level: 'error' } }];
    const found = (result: Entry) => only(findings(log([result], rules)));
    assert.equal(found({ ruleIndex: 1 }).rule, 'CA1000');
    assert.equal(found({ rule: { index: 1 } }).severity, 'high');
    assert.equal(found({ ruleId: 'CA1000/2' }).severity, 'high');
    assert.equal(found({ ruleId: 'CA1000/2' }).rule, 'CA1000/2');
    assert.equal(findings(log([{ ruleIndex: 99 }, { ruleIndex: -1 }, { ruleIndex: 0.5 }], rules)).length, 0);
  });

  test('lines that move change nothing, unless they are all that tells two results apart', () => {
    const at = (...lines: number[]) => log(lines.map((line) => ({ ruleId: 'r', ...place('a.ts', line) })));
    assert.deepEqual(eventsOf(at(3)), eventsOf(at(300)));
    assert.equal(names(at(3, 30)).length, 2);
    assert.equal(names(at(3, 3)).length, 1);
    // The first of them is known without its line: what comes and goes below it does not touch it.
    assert.ok(names(at(3, 30)).includes(only(names(at(7)))));
    const lineOfTheKnownOne = (...lines: number[]) =>
      findings(at(...lines))
        .find((finding) => nameOf(finding) === only(names(at(7))))
        ?.describe().observedOn?.['line'];
    assert.equal(lineOfTheKnownOne(10, 9), '9');
    assert.equal(lineOfTheKnownOne(9, 10, 100), '9');
  });

  test('fingerprints are the identity where there are any; partial ones within their file', () => {
    const at = (uri: string, more: Entry) => log([{ ruleId: 'r', ...place(uri, 1), ...more }]);
    const whole = (uri: string, value: string) => names(at(uri, { fingerprints: { v1: value } }));
    assert.deepEqual(whole('a.ts', 'x'), whole('b.ts', 'x'));
    assert.notDeepEqual(whole('a.ts', 'x'), whole('a.ts', 'y'));
    const partial = (uri: string) => names(at(uri, { partialFingerprints: { hash: 'x' } }));
    assert.notDeepEqual(partial('a.ts'), partial('b.ts'));
  });

  test('no runs are valid; a run without results, or one that failed, is no evidence', () => {
    assert.deepEqual(readings({ version: '2.1.0', runs: [] }), []);
    assert.equal(only(readings(log(undefined))).completeness, 'not-yet');
    assert.equal(only(readings(log([]))).completeness, 'complete');
    const failed = { invocations: [{ executionSuccessful: false }] };
    assert.equal(only(readings(log([], [], failed))).completeness, 'partial');
  });

  test('analyses of one tool are told apart by their category, not by the run', () => {
    const key = (id: string) => only(readings(log([], [], { automationDetails: { id } }))).reportKey;
    assert.deepEqual(key('nightly/2025-10-01'), key('nightly/2025-10-02'));
    assert.notDeepEqual(key('nightly/2025-10-01'), key('weekly/2025-10-01'));
  });
});

suite('Kubescape', () => {
  const control = (status: unknown, controlID = 'C-0017') => ({ controlID, name: 'x', ...Object(status) });
  const report = (resourceID: string, controls: readonly unknown[], more: Entry = {}) => ({
    summaryDetails: { controls: { 'C-0017': { scoreFactor: 7 } }, frameworks: [{ name: 'NSA' }] },
    results: [{ resourceID, controls }],
    ...more,
  });
  const failed = { status: { status: 'failed' } };

  test('the status of the control; in older reports of its rules', () => {
    const count = (...controls: unknown[]) => findings(report('apps/v1/store/Deployment/shop', controls)).length;
    assert.equal(count(control(failed)), 1);
    assert.equal(count(control({ status: { status: 'passed' }, rules: [{ status: 'failed' }] })), 0);
    assert.equal(count(control({ rules: [{ status: 'passed' }, { status: 'failed' }] })), 1);
    assert.equal(count(control({ rules: [{ status: 'passed' }] }), control({})), 0);
  });

  test('the severity is that of the score factor', () => {
    const severity = (scoreFactor: unknown) => {
      const summaryDetails = { controls: { 'C-0017': { scoreFactor } } };
      return only(findings(report('/v1/store/Pod/x', [control(failed)], { summaryDetails }))).severity;
    };
    assert.deepEqual([10, 9, 8, 7, 6, 4, 3, 1, 0, 'x'].map(severity), [
      ...['critical', 'critical', 'high', 'high', 'medium', 'medium', 'low', 'low', 'unknown', 'unknown'],
    ]);
  });

  test('a rollout and the number of a file in one scan change nothing', () => {
    const at = (id: string) => names(report(id, [control(failed)]));
    assert.deepEqual(at('apps/v1/store/ReplicaSet/shop-5b7c9d6f84'), at('apps/v1/store/Deployment/shop'));
    assert.deepEqual(at('path=17/api=apps/v1/store/Deployment/shop'), at('apps/v1/store/Deployment/shop'));
    assert.notDeepEqual(at('apps/v1/store/Deployment/shop'), at('apps/v1/other/Deployment/shop'));
  });

  test('a scan by one framework says nothing about those of another', () => {
    const key = (...frameworks: string[]) => {
      const summaryDetails = { frameworks: frameworks.map((name) => ({ name })) };
      return only(readings(report('/v1/store/Pod/x', [], { summaryDetails }))).reportKey;
    };
    assert.deepEqual(key('NSA', 'MITRE'), key('MITRE', 'NSA'));
    assert.notDeepEqual(key('NSA'), key('NSA', 'MITRE'));
  });

  test('a scan of nothing is no evidence, and a time that cannot be is not believed', () => {
    const empty = only(readings({ summaryDetails: {}, results: [], generationTime: '0001-01-01T00:00:00Z' }));
    assert.deepEqual([empty.completeness, empty.reportedAt], ['not-yet', undefined]);
  });
});

suite('Polaris', () => {
  const check = (Severity: unknown, Success: unknown = false) => ({ c: { ID: 'c', Message: 'm', Success, Severity } });
  const report = (Results: unknown) => ({
    PolarisOutputVersion: '1.0',
    Results: [{ Kind: 'Deployment', Name: 'shop', Namespace: 'store', Results }],
  });

  test('danger, warning, ignored and words that nobody knows', () => {
    const severities = (severity: unknown) => findings(report(check(severity))).map((finding) => finding.severity);
    assert.deepEqual(severities('danger'), ['high']);
    assert.deepEqual(severities('warning'), ['medium']);
    assert.deepEqual(severities('ignore'), []);
    assert.deepEqual(severities('spicy'), ['unknown']);
    assert.deepEqual(severities(undefined), ['unknown']);
    assert.deepEqual(findings(report(check('danger', true))), []);
  });

  test('no objects are no evidence', () => {
    const empty = { PolarisOutputVersion: '1.0', Results: null };
    assert.equal(only(readings(empty)).completeness, 'not-yet');
  });
});

suite('kube-hunter', () => {
  const report = (...vulnerabilities: Entry[]) => ({ nodes: [{}], services: [], vulnerabilities });
  const found = { vid: 'KHV050', location: 'Local to Pod (kube-hunter-5pmjs)', severity: 'low', vulnerability: 'x' };

  test('exact duplicates are one finding', () => {
    assert.equal(findings(report(found, found)).length, 2);
    assert.equal(names(report(found, found)).length, 1);
  });

  test('its own Pod, another in every run, changes nothing', () => {
    const next = { ...found, location: 'Local to Pod (kube-hunter-x2v7q)' };
    assert.deepEqual(eventsOf(report(next)), eventsOf(report(found)));
    assert.notDeepEqual(names(report({ ...found, location: '10.0.0.1:443' })), names(report(found)));
  });

  test('checks without an id are told apart by their headings', () => {
    const none = { ...found, vid: 'None' };
    assert.equal(names(report(none, { ...none, vulnerability: 'y' })).length, 2);
  });

  test('evidence is kept nowhere: it can be a token', () => {
    const [finding] = findings(report({ ...found, evidence: 'hunter2-hunter2' }));
    assert.ok(!JSON.stringify(finding?.describe()).includes('hunter2'));
  });

  test('a run that reached nothing is no evidence', () => {
    const nothing = only(readings({ nodes: null, services: null, vulnerabilities: null }));
    assert.equal(nothing.completeness, 'not-yet');
    assert.equal(only(readings(report())).completeness, 'complete');
  });
});

suite('Popeye', () => {
  const issue = (level: unknown, message: string, group = '__root__') => ({ group, gvr: 'x', level, message });
  const section = (gvr: string, issues: unknown, tally: Entry = {}) => ({ linter: 'l', gvr, tally, issues });
  const report = (...sections: Entry[]) => ({ popeye: { score: 100, sections } });
  const pods = (...issues: Entry[]) => report(section('v1/pods', { 'store/shop': issues }));

  test('ok and information are no findings, whatever the tally says', () => {
    const found = findings(
      pods(issue(0, '[POP-1] a'), issue(1, '[POP-2] a'), issue(2, '[POP-3] a'), issue(3, '[POP-4] a')),
    );
    assert.deepEqual(
      found.map(({ rule, severity }) => [rule, severity]),
      [
        ['POP-4', 'high'],
        ['POP-3', 'medium'],
      ],
    );
  });

  test('numbers in messages are neither identity nor change; containers are identity', () => {
    const cpu = (text: string) => eventsOf(pods(issue(2, `[POP-503] CPU at ${text}m`)));
    assert.deepEqual(cpu('131'), cpu('7'));
    assert.equal(names(pods(issue(2, '[POP-106] a', 'web'), issue(2, '[POP-106] a', 'sidecar'))).length, 2);
  });

  test('a kind that was not looked at says nothing; one that could not be read is not clean', () => {
    const both = readings(report(section('v1/pods', {}), section('v1/services', null, { error: 1 })));
    assert.deepEqual(
      both.map(({ reportKey, completeness }) => [reportKey[2], completeness]),
      [
        ['v1/pods', 'complete'],
        ['v1/services', 'not-yet'],
      ],
    );
  });

  test('older and newer words for a section', () => {
    const old = {
      popeye: { sanitizers: [{ sanitizer: 'l', gvr: 'v1/pods', issues: { 'store/shop': [issue(2, '[POP-3] a')] } }] },
    };
    assert.deepEqual(names(old), names(pods(issue(2, '[POP-3] a'))));
  });
});
