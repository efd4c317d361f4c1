import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { auditVerdict } from '../../cmd/release/audit.ts';

suite('npm audit', () => {
  const counts = (more: object) =>
    JSON.stringify({ metadata: { vulnerabilities: { info: 0, low: 0, moderate: 0, high: 0, critical: 0, ...more } } });

  test('none known, or some', () => {
    assert.deepEqual(auditVerdict(counts({}), ''), { code: 0, words: 'no known vulnerabilities' });
    assert.deepEqual(auditVerdict(counts({ high: 2, low: 1 }), ''), { code: 1, words: '1 low, 2 high' });
  });

  test('a registry without the endpoint, an empty answer or no answer is no pass', () => {
    const answers = [
      JSON.stringify({ message: '404 Not Found - POST audits' }),
      JSON.stringify({ error: { summary: 'audit endpoint returned an error' } }),
      '{}',
      '',
    ];
    for (const answer of answers) assert.equal(auditVerdict(answer, 'npm error 404').code, 3, answer);
  });
});
