import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { cacheKey, isAtLeast, isWithinOneMinor, parseVersions } from '../cluster/versions.ts';

const goMod = `module example.test/cluster

go 1.26.0

require k8s.io/kubernetes v1.36.3
require (
	go.etcd.io/etcd/client/v3 v3.6.1 // indirect
	go.etcd.io/etcd/server/v3 v3.6.8 // indirect
)
`;

test('versions are read from go.mod, required in a line or in a block', () => {
  assert.deepEqual(parseVersions(goMod), { go: '1.26.0', kubernetes: 'v1.36.3', etcd: 'v3.6.8' });
});

test('the go.mod of the control plane names all versions', () => {
  const versions = parseVersions(readFileSync(new URL('../cluster/go.mod', import.meta.url), 'utf8'));
  assert.match(versions.kubernetes, /^v1\.\d+\.\d+$/);
  assert.match(versions.etcd, /^v3\.\d+\.\d+$/);
});

test('a go.mod without a version is refused by name', () => {
  assert.throws(() => parseVersions(goMod.replaceAll(/.*etcd.*\n/g, '')), /go\.etcd\.io\/etcd\/server\/v3/);
});

test('the cache key names the versions and differs with dependencies and platform', () => {
  const key = cacheKey(goMod, 'sum', 'linux-x64');
  assert.match(key, /^kubernetes-v1\.36\.3-etcd-v3\.6\.8-linux-x64-[0-9a-f]{10}$/);
  assert.equal(cacheKey(goMod, 'sum', 'linux-x64'), key);
  assert.notEqual(cacheKey(goMod, 'other sum', 'linux-x64'), key);
  assert.notEqual(cacheKey(`${goMod}// changed\n`, 'sum', 'linux-x64'), key);
  assert.notEqual(cacheKey(goMod, 'sum', 'darwin-arm64'), key);
});

test('Go releases compare by number', () => {
  for (const release of ['go1.26.0', 'go1.26.8', '1.27rc1', 'go1.100', 'go2.0'])
    assert.ok(isAtLeast(release, '1.26.0'));
  for (const release of ['go1.25.9', 'go1.9', 'of an unknown version']) assert.ok(!isAtLeast(release, '1.26.0'));
});

test('kubectl may be one minor version away from the server', () => {
  const server = 'Kubernetes v1.36.3';
  for (const client of ['Client Version: v1.35.0', 'v1.36.9', 'v1.37.1']) assert.ok(isWithinOneMinor(client, server));
  for (const client of ['v1.34.8', 'v1.38.0', 'v2.36.0', 'unknown']) assert.ok(!isWithinOneMinor(client, server));
});
