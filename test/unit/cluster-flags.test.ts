import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { apiServerFlags, controllerManagerFlags, etcdFlags, layout, writeFiles } from '../cluster/flags.ts';

const folder = '/a/folder';
const ports = { etcd: 1001, etcdPeer: 1002, apiServer: 1003, controllerManager: 1004 };

test('every component names the folder: that is how its process is told from others', () => {
  for (const flags of [etcdFlags, controllerManagerFlags]) assert.ok(flags(folder, ports).join(' ').includes(folder));
  assert.ok(apiServerFlags(folder, ports, false).join(' ').includes(folder));
});

test('nothing listens on an address other machines can reach', () => {
  for (const flags of [apiServerFlags(folder, ports, true), controllerManagerFlags(folder, ports)]) {
    assert.ok(flags.includes('--bind-address=127.0.0.1'));
  }
  for (const flag of etcdFlags(folder, ports).filter((text) => text.includes('://'))) {
    assert.match(flag, /http:\/\/127\.0\.0\.1:/);
  }
});

test('the audit log is written only when asked for', () => {
  const isAudit = (flag: string) => flag.startsWith('--audit-');
  assert.deepEqual(apiServerFlags(folder, ports, false).filter(isAudit), []);
  assert.ok(apiServerFlags(folder, ports, true).includes('--audit-log-mode=blocking'));
});

test('credentials are random and readable by their owner only', () => {
  const real = mkdtempSync(join(tmpdir(), 'zen-watcher-flags-'));
  try {
    const [first, second] = [writeFiles(real), writeFiles(real)];
    assert.equal(new Set([first.admin, first.restricted, second.admin, second.restricted]).size, 4);
    for (const path of [layout(real).tokens, layout(real).privateKey]) assert.equal(statSync(path).mode & 0o777, 0o600);
  } finally {
    rmSync(real, { recursive: true });
  }
});
