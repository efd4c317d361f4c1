/** What tests conclude from the API server's audit log: it must see what it is there to see. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { AuditLog, createdTwice, tallyOf, writesWithoutChange } from '../support/audit-log.ts';

const folder = mkdtempSync(join(tmpdir(), 'zen-audit-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;

interface Entry {
  readonly verb: string;
  readonly code?: number;
  readonly name?: string;
  readonly decidedOn?: number;
  readonly version?: number;
  readonly severity?: string;
  readonly observedOn?: string;
  readonly phase?: string;
}

function writesOf(...entries: readonly Entry[]) {
  files += 1;
  const path = join(folder, `${files}.jsonl`);
  writeFileSync(path, entries.map((entry) => `${JSON.stringify(audited(entry))}\n`).join(''));
  return new AuditLog(path).writes('zen-system');
}

function audited(entry: Entry) {
  const { verb, code = 200, name = 'one', decidedOn, version, severity = 'high', observedOn, phase = 'Active' } = entry;
  const details = { observedOn: { pod: observedOn }, fixedVersion: '2' };
  const object = { spec: { severity, detectedAt: String(version), details }, status: { count: 1, phase } };
  const answer = { metadata: { resourceVersion: String(version) } };
  return {
    stage: 'ResponseComplete',
    verb,
    user: { username: 'daemon' },
    objectRef: { resource: 'zenagentevents', namespace: 'zen-system', name },
    responseStatus: { code },
    requestObject: { ...object, metadata: decidedOn === undefined ? {} : { resourceVersion: String(decidedOn) } },
    // The answer to a create is its metadata only.
    ...(version === undefined ? {} : { responseObject: verb === 'create' ? answer : { ...object, ...answer } }),
  };
}

const created = { verb: 'create', code: 201, version: 5 };

suite('the audit log', () => {
  test('tells writes that change nothing from those that do', () => {
    const change = { verb: 'update', decidedOn: 5, version: 6, severity: 'low' };
    const resolve = { verb: 'patch', decidedOn: 6, version: 7, severity: 'low', phase: 'Resolved' };
    assert.deepEqual(writesWithoutChange(writesOf(created, change, resolve)), []);
    const inVain: readonly Entry[] = [
      { verb: 'update', decidedOn: 5, version: 5 },
      { verb: 'update', decidedOn: 5, version: 6 },
      { verb: 'update', decidedOn: 5, version: 6, observedOn: 'another Pod' },
      { verb: 'patch', decidedOn: 5, version: 6 },
    ];
    for (const entry of inVain) assert.equal(writesWithoutChange(writesOf(created, entry)).length, 1);
    // Each event has a history of its own, and refused writes are none.
    assert.deepEqual(writesWithoutChange(writesOf(created, { ...created, name: 'other', version: 6 })), []);
    assert.deepEqual(writesWithoutChange(writesOf(created, { verb: 'update', code: 409, decidedOn: 4 })), []);
  });

  test('does not take for the state before what a write was not decided on', () => {
    // The answer to the write that made version 6 was cut off with the process that asked for it.
    const cutOff = { verb: 'patch', code: 504, decidedOn: 5, phase: 'Resolved' };
    const reopened = { verb: 'patch', decidedOn: 6, version: 7 };
    assert.deepEqual(writesWithoutChange(writesOf(created, cutOff, reopened)), []);
    assert.equal(
      writesWithoutChange(writesOf(created, cutOff, reopened, { ...reopened, decidedOn: 7, version: 8 })).length,
      1,
    );
  });

  test('goes by the order of versions, not of answers', () => {
    const low = { verb: 'update', decidedOn: 5, version: 6, severity: 'low' };
    const back = { verb: 'update', decidedOn: 6, version: 7, severity: 'high' };
    assert.deepEqual(writesWithoutChange(writesOf(created, back, low)), []);
  });

  test('says so when it does not know what a write left', () => {
    assert.throws(
      () => writesWithoutChange(writesOf(created, { verb: 'update' })),
      /does not tell what update of one left/,
    );
  });

  test('finds what was created twice, and counts', () => {
    const writes = writesOf(
      created,
      { ...created, name: 'other' },
      { verb: 'create', code: 409 },
      { ...created, version: 9 },
    );
    assert.deepEqual(createdTwice(writes), ['one']);
    assert.deepEqual(tallyOf(writes), { 'create 201': 3, 'create 409': 1 });
  });
});
