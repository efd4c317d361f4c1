/** The judge: what decides, in which order, and what it says. docs/filters.md has more cases, each of them run. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import type { Severity } from '../../src/api/words.ts';
import { categories, eventTypes, severities, severityRank } from '../../src/api/words.ts';
import { ruleSettings } from '../../src/config/rules-schema.ts';
import { configSchema } from '../../src/config/schema.ts';
import { OwnerResolver } from '../../src/pipeline/identity.ts';
import { noPods } from '../../src/pipeline/owner.ts';
import { presets } from '../../src/pipeline/presets.ts';
import type { RuleSettings, Verdict } from '../../src/pipeline/rules.ts';
import { compileRules, noSettings } from '../../src/pipeline/rules.ts';
import { sources } from '../../src/sources/registry.ts';
import type { Finding } from '../../src/sources/source.ts';
import { type FindingOptions, finding, start } from '../support/findings.ts';
import { judgeOf } from '../support/rules.ts';

const owners = new OwnerResolver(noPods);

/** The finding of the tests is a misconfiguration of high severity of Deployment/web in the namespace shop. */
function verdictOn(settings: Partial<RuleSettings>, options: FindingOptions & Partial<Finding> = {}): Verdict {
  return judgeOf(settings)({ ...finding('CVE-2026-1', options), ...options } as Finding, owners);
}

const compile = (settings: Partial<RuleSettings>, now = start) =>
  compileRules({ ...noSettings, ...settings }, { now, labelsOf: () => undefined });

suite('rules: precedence', () => {
  const exclude = { action: 'exclude', rule: ['CVE-*'] } as const;
  const include = { action: 'include', rule: ['CVE-*'] } as const;

  test('of filters the first that fits decides', () => {
    assert.equal(verdictOn({ filters: [exclude, include] }).kind, 'filtered');
    assert.equal(verdictOn({ filters: [include, exclude] }).kind, 'accepted');
    assert.equal(
      verdictOn({ filters: [{ ...exclude, rule: ['KSV*'] }, include] }).decidedBy,
      'filters[1] (include rule CVE-*)',
    );
  });

  test('an include lets through what preset and thresholds leave out; a mute still mutes it', () => {
    const low = { severity: 'info' as const };
    assert.equal(verdictOn({ preset: 'compliance-only' }, low).decidedBy, 'preset compliance-only (category security)');
    assert.equal(verdictOn({ preset: 'compliance-only', filters: [include] }, low).kind, 'accepted');
    const mutes = [{ rule: ['CVE-2026-1'], reason: 'known' }];
    assert.equal(verdictOn({ filters: [include], mutes }, low).kind, 'muted');
  });

  test('what is filtered is not muted: it is counted as filtered', () => {
    const mutes = [{ rule: ['CVE-2026-1'], reason: 'known' }];
    assert.equal(verdictOn({ filters: [exclude], mutes }).kind, 'filtered');
    assert.equal(verdictOn({ mutes }, { severity: 'low' }).kind, 'filtered');
    assert.equal(verdictOn({ mutes }).kind, 'muted');
  });

  test("a source's threshold wins over the event type's, that one over the default, and the user's over the preset's", () => {
    const medium = { severity: 'medium' as const };
    assert.equal(
      verdictOn({ thresholds: { misconfiguration: 'info', sources: { tool: 'high' } } }, medium).kind,
      'filtered',
    );
    assert.equal(
      verdictOn({ thresholds: { misconfiguration: 'high', sources: { tool: 'low' } } }, medium).kind,
      'accepted',
    );
    assert.equal(verdictOn({ thresholds: { default: 'critical' } }, medium).kind, 'accepted');
    assert.equal(verdictOn({ preset: 'conservative' }, medium).kind, 'filtered');
    assert.equal(
      verdictOn({ preset: 'conservative', thresholds: { misconfiguration: 'medium' } }, medium).kind,
      'accepted',
    );
    assert.equal(verdictOn({ preset: 'conservative', thresholds: { default: 'medium' } }, medium).kind, 'accepted');
  });

  test('unknown passes every threshold of every preset, but not a filter', () => {
    for (const preset of presets) {
      const category = preset === 'compliance-only' ? 'compliance' : 'security';
      assert.equal(
        verdictOn({ preset, thresholds: { default: 'critical' } }, { severity: 'unknown', category }).kind,
        'accepted',
      );
    }
    const filters = [{ action: 'exclude', severity: ['unknown'] } as const];
    assert.equal(verdictOn({ filters }, { severity: 'unknown' }).kind, 'filtered');
  });
});

suite('rules: severity', () => {
  test("the tool's word first, then the first override that fits; both in words", () => {
    const settings: Partial<RuleSettings> = {
      severities: { tool: { high: 'low' } },
      severityOverrides: [
        { match: { severity: ['high'] }, severity: 'info' },
        { match: { severity: ['low'] }, severity: 'critical' },
        { match: { rule: ['*'] }, severity: 'medium' },
      ],
    };
    const verdict = verdictOn(settings);
    assert.deepEqual(
      [verdict.severity, verdict.kind, verdict.overriddenBy],
      ['critical', 'accepted', 'severityOverrides[1] (severity low: critical)'],
    );
    const byWord = verdictOn({ severities: { tool: { high: 'low' } } });
    assert.deepEqual([byWord.severity, byWord.kind], ['low', 'filtered']);
    assert.equal(byWord.overriddenBy, 'severities of tool (high: low)');
    assert.equal(verdictOn({ severities: { other: { high: 'low' } } }).overriddenBy, undefined);
  });

  test('filters, thresholds and mutes see the severity after it', () => {
    const severityOverrides = [{ match: { rule: ['CVE-*'] }, severity: 'info' as const }];
    assert.equal(verdictOn({ severityOverrides }).kind, 'filtered');
    const filters = [{ action: 'include', severity: ['info'] } as const];
    assert.equal(verdictOn({ severityOverrides, filters }).kind, 'accepted');
    const mutes = [{ severity: ['high' as const], reason: 'x' }];
    assert.equal(verdictOn({ severityOverrides, filters, mutes }).kind, 'accepted');
  });

  test("a source's words are for every word of spec.source that it emits", () => {
    const config = configSchema.parse({ sources: { policyreport: { severities: { MEDIUM: 'high' } } } });
    const { severities: words } = ruleSettings(config, sources);
    assert.deepEqual(words['kyverno'], { medium: 'high' });
    assert.equal(words['trivy'], undefined);
  });
});

suite('rules: what a match compares', () => {
  const isMuted = (match: Partial<RuleSettings['mutes'][number]>, options: FindingOptions = {}) =>
    verdictOn({ mutes: [{ reason: 'x', ...match }] }, options).kind === 'muted';

  test('the workload, not the ReplicaSet or the Pod that the tool names', () => {
    const resource = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-5d59d67564', namespace: 'shop' };
    assert.equal(isMuted({ resource: ['Deployment/web'] }, { resource }), true);
    assert.equal(isMuted({ resource: ['ReplicaSet/*'] }, { resource }), false);
  });

  test('no namespace pattern fits what has no namespace', () => {
    const resource = { kind: 'ClusterRole', name: 'admin' };
    assert.equal(isMuted({ namespace: ['*'] }, { resource }), false);
    assert.equal(isMuted({ namespace: ['*'] }, { resource: { ...resource, namespace: '' } }), false);
    assert.equal(isMuted({ namespace: ['*'] }), true);
  });

  test('all fields must fit, of a list one', () => {
    assert.equal(isMuted({ source: ['other', 'to*'], category: ['security'], eventType: ['misconfiguration'] }), true);
    assert.equal(isMuted({ source: ['other', 'to*'], category: ['compliance'] }), false);
  });

  test('no label fits a namespace that is not known', () => {
    const rules = (labels: Readonly<Record<string, string>> | undefined) =>
      compileRules(
        { ...noSettings, mutes: [{ namespaceLabels: { team: 'blue' }, reason: 'x' }] },
        { now: start, labelsOf: () => labels },
      );
    assert.equal(rules(undefined).judge(finding('a'), owners).kind, 'accepted');
    assert.equal(rules({ team: 'red' }).judge(finding('a'), owners).kind, 'accepted');
    assert.equal(rules({ team: 'blue', more: '1' }).judge(finding('a'), owners).kind, 'muted');
    assert.deepEqual([...rules({}).labelKeys], ['team']);
    assert.equal(rules({}).judge(finding('a', { resource: { kind: 'Node', name: 'n' } }), owners).kind, 'accepted');
  });
});

suite('rules: the end of mutes', () => {
  const mute = (until?: string) => ({ rule: ['CVE-2026-1'], reason: 'x', ...(until === undefined ? {} : { until }) });

  test('a mute holds until its moment and not longer; the next end is known', () => {
    const until = '2026-03-01T12:00:00Z';
    const at = (text: string) => compile({ mutes: [mute(until)] }, new Date(text));
    const kindAt = (text: string) => at(text).judge(finding('CVE-2026-1'), owners).kind;
    assert.deepEqual([kindAt('2026-03-01T11:59:59.999Z'), kindAt(until)], ['muted', 'accepted']);
    assert.equal(at('2026-01-01T00:00:00Z').expiresAtMs, Date.parse(until));
    assert.equal(at(until).expiresAtMs, undefined);
  });

  test('of several the soonest counts; endless and ended ones are told', () => {
    const mutes = [mute('2027-01-01'), mute(), mute('2026-06-01'), mute('2025-01-01')];
    const { expiresAtMs, notices } = compile({ mutes });
    assert.equal(expiresAtMs, Date.UTC(2026, 5, 1));
    assert.deepEqual(
      notices.map(({ kind, mute: words }) => `${kind} ${words.slice(0, 8)}`),
      ['endless mutes[1]', 'expired mutes[3]'],
    );
  });
});

suite('rules: whatever they say', () => {
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?', '/', '-', 'é'), minLength: 1, maxLength: 6 });
  const some = <T>(item: fc.Arbitrary<T>) => fc.array(item, { minLength: 1, maxLength: 3 });
  const severity = fc.constantFrom<Severity>(...severities);
  const threshold = fc.constantFrom(...severities.filter((word) => word !== 'unknown'));
  const allFields = fc.record(
    {
      source: some(fc.constantFrom('tool', 'other', '*')),
      severity: some(severity),
      eventType: some(fc.constantFrom(...eventTypes)),
      category: some(fc.constantFrom(...categories)),
      namespace: some(pattern),
      namespaceLabels: fc.dictionary(fc.constantFrom('a', '__proto__'), fc.constantFrom('x', 'y'), { minKeys: 1 }),
      resource: some(pattern),
      rule: some(pattern),
    },
    { requiredKeys: [] },
  );
  // Of all fields at once hardly any finding fits.
  const match = fc
    .tuple(allFields, fc.nat(2))
    .map(([fields, count]): typeof fields => Object.fromEntries(Object.entries(fields).slice(-count)));
  const with_ = <A extends object, B extends object>(a: fc.Arbitrary<A>, b: fc.Arbitrary<B>) =>
    fc.tuple(a, b).map(([left, right]) => ({ ...left, ...right }));
  const settings: fc.Arbitrary<RuleSettings> = fc.record({
    preset: fc.constantFrom(...presets),
    thresholds: fc.record({ default: threshold, sources: fc.record({ tool: threshold }) }, { requiredKeys: [] }),
    filters: fc.array(with_(match, fc.record({ action: fc.constantFrom('exclude' as const, 'include' as const) })), {
      maxLength: 3,
    }),
    mutes: fc.array(
      with_(
        match,
        fc.record({
          reason: fc.string(),
          until: fc.option(fc.constantFrom('2025-01-01', '2027-01-01', 'never'), { nil: undefined }),
        }),
      ),
      { maxLength: 3 },
    ),
    severityOverrides: fc.array(fc.record({ match, severity }), { maxLength: 2 }),
    severities: fc.constantFrom({}, { tool: { high: 'low' as const } }, { constructor: { high: 'low' as const } }),
  });
  const anyFinding = fc
    .record({
      rule: fc.string({ maxLength: 12 }),
      severity,
      eventType: fc.constantFrom(...eventTypes),
      category: fc.constantFrom(...categories),
      source: fc.constantFrom('tool', 'constructor', '__proto__'),
      sourceSeverity: fc.option(fc.string({ maxLength: 8 }), { nil: undefined }),
      resource: fc.record({
        kind: fc.string({ maxLength: 5 }),
        name: fc.string({ maxLength: 5 }),
        namespace: fc.string({ maxLength: 3 }),
      }),
    })
    .map((parts): Finding => ({ ...finding('x'), ...parts }));

  test('a finding has one of three verdicts, a rule in words and a severity of ours; nothing throws', () => {
    const seen = new Set<string>();
    const property = fc.property(settings, anyFinding, (rules, one) => {
      const labelsOf = () => ({ a: 'x' });
      const verdict = compileRules(rules, { now: start, labelsOf }).judge(one, owners);
      seen.add(verdict.kind);
      assert.ok(['accepted', 'filtered', 'muted'].includes(verdict.kind));
      assert.ok(verdict.decidedBy.length > 0 && severities.includes(verdict.severity));
      if (verdict.severity !== one.severity) assert.ok(verdict.overriddenBy);
      const again = compileRules(rules, { now: start, labelsOf }).judge(one, owners);
      assert.deepEqual(again, verdict);
      if (rules.filters.length + rules.mutes.length + rules.severityOverrides.length > 0) return;
      if (verdict.severity === 'unknown' || verdict.decidedBy.startsWith('preset') || verdict.overriddenBy) return;
      const least = rules.thresholds.sources?.tool ?? rules.thresholds.default ?? 'info';
      if (one.source === 'tool') {
        assert.equal(verdict.kind === 'accepted', severityRank(one.severity) <= severityRank(least), verdict.decidedBy);
      }
    });
    fc.assert(property, { seed: 20_260_101, numRuns: 3_000 });
    assert.equal(seen.size, 3);
  });
});
