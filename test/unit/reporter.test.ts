/** What the log says of troubles: when they begin and when they end, and what to do. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
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
    assert.match(lines[0] ?? '', /cannot be written.*throttled.*see who asks/);
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

  test('a report with 9,000 broken entries is five lines and one with how many more; read again, none', async () => {
    const { reporter, lines } = reporting();
    const object = 'aquasecurity.github.io|VulnerabilityReport|shop|web';
    const read = async (entries: number, name = object) => {
      lines.length = 0;
      for (let index = 0; index < entries; index += 1) {
        const place = `.report.vulnerabilities[${index}]`;
        reporter.rejected('trivy', name, { reason: 'malformed', place, message: 'expected an object' });
      }
      await nextTurn();
      return [...lines];
    };
    const told = await read(9_000);
    assert.equal(told.length, 6);
    assert.equal(
      told[0],
      `report rejected ${JSON.stringify({
        source: 'trivy',
        object,
        place: '.report.vulnerabilities[0]',
        cause: 'malformed',
        reason: 'expected an object',
        look: 'kubectl get VulnerabilityReport.aquasecurity.github.io -n shop web -o yaml',
      })}`,
    );
    assert.equal(
      told[5],
      `more of the report was rejected ${JSON.stringify({ source: 'trivy', object, more: 8_995 })}`,
    );
    assert.deepEqual(await read(9_000), []);
    assert.equal((await read(9_001)).length, 6, 'it is another report now');
    assert.equal((await read(2, 'webhook of falco')).length, 2);
    assert.ok(!lines[0]?.includes('kubectl'), 'what was sent cannot be looked at');
    assert.deepEqual(await read(2, 'webhook of falco'), []);
    assert.equal((await read(3, 'webhook of falco')).length, 1, 'the third is new');
  });

  test('that the own CRD is absent is a warning with what to do; that of a tool is none', () => {
    const { reporter, lines } = reporting();
    reporter.informerChanged('zenagentevents.zen.kube-zen.io', { kind: 'absent', message: 'x is not served' });
    reporter.informerChanged('clusterpolicies.kyverno.io', { kind: 'absent', message: 'x is not served' });
    assert.match(lines[0] ?? '', /^the CRD of the events is not served.*kubectl apply/);
    assert.match(lines[1] ?? '', /^not served: watched as soon as it is/);
  });
});
