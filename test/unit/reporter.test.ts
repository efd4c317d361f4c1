/** What the log says of troubles: when they begin and when they end, and what to do. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { sources } from '../../src/sources/registry.ts';
import { createMetrics, type Gauges } from '../../src/telemetry/metrics.ts';
import { Reporter } from '../../src/telemetry/reporter.ts';
import { SetClock } from '../support/reflecting.ts';

function reporting() {
  const lines: string[] = [];
  const say = (message: string, fields: object = {}) => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const logger = { error: say, warn: say, info: say, debug: say };
  const nothing = new Proxy({}, { get: () => () => 0 }) as Gauges;
  const clock = new SetClock();
  const reporter = new Reporter({ logger, metrics: createMetrics(sources, nothing, '0'), clock });
  return { reporter, clock, lines };
}

const intent = { kind: 'removal', key: 'trivy-a', source: 'trivy' } as never;

suite('the log of troubles', () => {
  test('a server that throttles and lets some writes through is told once, and its end once it is calm', () => {
    const { reporter, clock, lines } = reporting();
    for (let round = 0; round < 20; round += 1) {
      clock.nowMs += 1_000;
      reporter.delayed('throttled', '429');
      reporter.ended(intent, { kind: 'unchanged' } as never, 0);
    }
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? '', /cannot be written.*throttled.*writes\.perSecond/);
    clock.nowMs += 30_000;
    reporter.ended(intent, { kind: 'unchanged' } as never, 0);
    reporter.ended(intent, { kind: 'unchanged' } as never, 0);
    assert.deepEqual(lines.slice(1), ['events are written again {"causes":"throttled"}']);
  });

  test('a server that answers again is told at once', () => {
    const { reporter, lines } = reporting();
    reporter.delayed('unavailable', 'no answer');
    reporter.ended(intent, { kind: 'unchanged' } as never, 0);
    assert.deepEqual(lines.slice(1), ['events are written again {"causes":"unavailable"}']);
  });

  test('that the own CRD is absent is a warning with what to do; that of a tool is none', () => {
    const { reporter, lines } = reporting();
    reporter.informerChanged('zenagentevents.zen.kube-zen.io', { kind: 'absent', message: 'x is not served' });
    reporter.informerChanged('clusterpolicies.kyverno.io', { kind: 'absent', message: 'x is not served' });
    assert.match(lines[0] ?? '', /^the CRD of the events is not served.*kubectl apply/);
    assert.match(lines[1] ?? '', /^not served: watched as soon as it is/);
  });
});
