/** The model of the random histories: that it rules things out, and imports nothing of what it is to judge. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { SeenEvent, Severity, Subject } from '../support/model/cluster-model.ts';
import { ClusterModel } from '../support/model/cluster-model.ts';
import type { Evidence, Happening } from '../support/model/fate.ts';
import { outcomes } from '../support/model/fate.ts';

const subjects: readonly Subject[] = [{ tool: 'trivy', namespace: 'team', workload: 'web' }];
const first = { subject: 0, finding: 0 } as const;

function modelSaying(...listings: readonly (Severity | undefined)[]): ClusterModel {
  const model = new ClusterModel(subjects, { trivy: 'high', kyverno: 'low' });
  listings.forEach((severity, index) => {
    const severities = new Map(severity === undefined ? [] : [[0, severity]]);
    model.report(0, 0, { shape: 'complete', severities, at: index + 1 });
  });
  return model;
}

function event(severity: Severity, phase = 'Active', uid = 'one'): SeenEvent {
  return {
    metadata: { name: 'trivy-aaaaaaaaaaaaaaaaaaaaaaaaaa', uid },
    spec: {
      source: 'trivy',
      category: 'security',
      eventType: 'vulnerability',
      severity,
      detectedAt: '2026-01-01T00:00:00Z',
      resource: { kind: 'Deployment', name: 'web', namespace: 'team' },
      details: { vulnerabilityID: 'CVE-2099-1001', package: 'openssl' },
    },
    status: {
      phase,
      count: 1,
      ...(phase === 'Resolved' ? { reason: 'fixed', resolvedAt: '2026-01-01T00:00:00Z' } : {}),
    },
  };
}

const saying = (...evidence: readonly Evidence[]): Happening[] =>
  evidence.map((each) => ({ kind: 'evidence', evidence: each, isRemembered: true }));
const calm = { isDisturbed: false };
const disturbed = { isDisturbed: true };

suite('the model of a finding', () => {
  const cases = [
    ['absent', saying('held'), calm, ['active']],
    ['absent', saying('held', 'silent'), calm, ['active']],
    ['absent', saying('held', 'silent'), disturbed, ['absent', 'active']],
    ['absent', saying('held', 'cleared'), calm, ['absent', 'resolved']],
    ['absent', saying('filtered'), disturbed, ['absent']],
    ['active', saying('filtered'), disturbed, ['active']],
    ['active', saying('silent'), disturbed, ['active']],
    ['active', saying('cleared'), disturbed, ['resolved']],
    ['active', saying('cleared', 'held'), disturbed, ['active']],
    ['active', saying('stale'), calm, ['active']],
    ['active', saying('stale'), disturbed, ['active', 'resolved']],
    ['active', saying('doubtful'), calm, ['active', 'resolved']],
    ['resolved', saying('silent'), disturbed, ['resolved']],
    ['resolved', saying('filtered'), disturbed, ['resolved']],
    ['resolved', saying('held'), disturbed, ['active']],
    ['active', [{ kind: 'deleted by hand' } as const, ...saying('silent')], calm, ['absent']],
    ['active', [{ kind: 'deleted by hand' } as const, ...saying('held')], calm, ['active']],
  ] as const;
  for (const [seen, happenings, circumstances, wanted] of cases) {
    const words = happenings.map((each) => (each.kind === 'evidence' ? each.evidence : each.kind)).join(', ');
    test(`${seen}; ${words}${circumstances.isDisturbed ? '; disturbed' : ''}: ${wanted.join(' or ')}`, () => {
      assert.deepEqual([...outcomes(seen, happenings, circumstances)].sort(), wanted);
    });
  }
});

suite('the model of a cluster', () => {
  test('an event that is missing, unreported, there twice, or wrong in any field is a problem', () => {
    const right = event('high');
    assert.deepEqual(modelSaying('high').compare([right]), []);
    const wrong: readonly (readonly [readonly SeenEvent[], RegExp])[] = [
      [[], /is absent, may be active/],
      [[right, right], /a second event/],
      [[event('critical')], /severity is critical, may be high/],
      [[event('high', 'Resolved')], /is resolved, may be active/],
      [[{ ...right, status: { ...right.status, count: 2 } }], /count is 2/],
      [[{ ...right, metadata: { ...right.metadata, name: 'trivy-x' } }], /is called trivy-x/],
      [[right, { ...right, spec: { ...right.spec, source: 'other' } }], /nobody reported/],
    ];
    for (const [events, problem] of wrong) assert.match(modelSaying('high').compare(events).join('\n'), problem);
    assert.match(modelSaying('low').compare([right]).join('\n'), /is active, may be absent/);
  });

  test('an event that was seen keeps its uid and what people put on it, until they delete it', () => {
    const model = modelSaying('high');
    model.settle([event('high')]);
    assert.match(model.compare([event('high', 'Active', 'two')]).join(), /uid is two, may be one/);
    model.acknowledged(first, { note: 'known' });
    assert.match(model.compare([event('high')]).join(), /label note is undefined, may be known/);
    model.deletedByHand(first);
    assert.deepEqual(model.compare([event('high', 'Active', 'two')]), []);
  });

  test('a rescan and a restart are worth no write, a change is', () => {
    const model = modelSaying('high');
    model.settle([event('high')]);
    model.report(0, 0, { shape: 'complete', severities: new Map([[0, 'high']]), at: 5 });
    model.disturbed();
    assert.equal(model.mostWrites(first), 0);
    model.report(0, 0, { shape: 'complete', severities: new Map([[0, 'critical']]), at: 6 });
    assert.ok(model.mostWrites(first) > 0);
  });

  test('imports nothing of the product', () => {
    for (const file of ['cluster-model.ts', 'fate.ts', 'model-reports.ts', 'histories.ts']) {
      const text = readFileSync(join(import.meta.dirname, '../support/model', file), 'utf8');
      const foreign = [...text.matchAll(/from '([^']+)'/g)].map(([, path = '']) => path);
      assert.deepEqual(
        foreign.filter((path) => path !== 'fast-check' && !/^\.\/[a-z-]+\.ts$/.test(path)),
        [],
        file,
      );
    }
  });
});
