import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSuccess, summary, Tally, type TestEvent } from '../support/tally.ts';

const file = '/a/b.test.ts';

function event(changes: Partial<TestEvent> = {}): TestEvent {
  return { name: 'a test', file, details: { type: 'test' }, ...changes };
}

function failure(failureType: string): Error {
  return Object.assign(new Error('failed'), { failureType });
}

test('tests are counted, suites and passing files are not', () => {
  const tally = new Tally([file]);
  tally.pass(event());
  tally.pass(event({ details: { type: 'suite' } }));
  tally.pass(event({ name: file }));
  tally.finish(file);
  assert.deepEqual(tally.counts, { passed: 1, failed: 0, skipped: 0 });
  assert.ok(isSuccess(tally.counts));
});

test('a skipped test, a skipped suite and a failing todo are skipped', () => {
  const tally = new Tally([file]);
  tally.pass(event({ skip: true }));
  tally.pass(event({ skip: 'no controller manager', details: { type: 'suite' } }));
  tally.pass(event({ skip: false }));
  tally.fail(event({ todo: true }));
  tally.finish(file);
  assert.deepEqual(tally.counts, { passed: 1, failed: 0, skipped: 3 });
});

test('a file that crashed failed', () => {
  const tally = new Tally([file]);
  tally.fail(event({ name: file }));
  assert.deepEqual(tally.counts, { passed: 0, failed: 1, skipped: 0 });
  assert.ok(!isSuccess(tally.counts));
});

test('a suite fails on its own only when its own hook failed', () => {
  const tally = new Tally([file]);
  tally.fail(event({ details: { type: 'suite', error: failure('hookFailed') } }));
  tally.fail(event({ details: { type: 'suite', error: failure('subtestsFailed') } }));
  tally.finish(file);
  assert.equal(tally.counts.failed, 1);
});

test('a file without a test failed, whatever it says itself', () => {
  const tally = new Tally([file, '/a/c.test.ts']);
  tally.pass(event({ name: file }));
  tally.finish(file);
  tally.pass(event({ file: '/a/c.test.ts' }));
  tally.finish('/a/c.test.ts');
  assert.deepEqual(tally.incomplete, [file]);
  assert.deepEqual(tally.counts, { passed: 1, failed: 1, skipped: 0 });
});

test('a file that ended in the middle of its tests failed', () => {
  const tally = new Tally([file]);
  tally.pass(event());
  assert.deepEqual(tally.counts, { passed: 1, failed: 1, skipped: 0 });
});

test('a run without tests is no success', () => {
  assert.ok(!isSuccess(new Tally([]).counts));
  assert.equal(summary(new Tally([]).counts), '0 passed, 0 failed, 0 skipped');
});

test('the files that took longest are told, the longest first', () => {
  const tally = new Tally([]);
  tally.finish('/a/b.test.ts', 10);
  tally.finish('/a/c.test.ts', 30);
  tally.finish('/a/d.test.ts', 20);
  assert.deepEqual(
    tally.slowest(2).map((one) => one.file),
    ['/a/c.test.ts', '/a/d.test.ts'],
  );
});
