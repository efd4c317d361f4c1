/** What holds for package-lock.json and the packages that the daemon is built from. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { isPermitted, productionPackages } from '../../cmd/release/licences.ts';
import { repositoryRoot } from '../support/repository.ts';

interface LockedPackage {
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly license?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly hasInstallScript?: boolean;
}

const read = (path: string) => JSON.parse(readFileSync(join(repositoryRoot, path), 'utf8'));
const locked: [string, LockedPackage][] = Object.entries(read('package-lock.json').packages);
const packages = locked.filter(([path]) => path !== '');

suite('dependencies', () => {
  test('what runs in production has a licence that permits it', () => {
    const others = productionPackages(repositoryRoot)
      .filter(({ installed, locked: license }) => !isPermitted(installed) || !isPermitted(license))
      .map(({ path, installed, locked: license }) => `${path}: ${String(installed)} (lock file: ${String(license)})`);
    assert.deepEqual(others, []);
  });

  test('an unknown or absent licence is refused', () => {
    for (const license of ['GPL-3.0-only', 'MIT AND GPL-2.0', 'UNLICENSED', '', undefined])
      assert.ok(!isPermitted(license));
    for (const license of ['MIT', '(MIT OR GPL-3.0)', 'MIT AND ISC']) assert.ok(isPermitted(license));
  });

  test('the lock file names no registry, and every package has a checksum', () => {
    for (const [path, { resolved, integrity }] of packages) {
      assert.equal(resolved, undefined, path);
      assert.match(integrity ?? '', /^sha512-/, path);
    }
  });

  test('versions are exact, and only listed packages run install scripts', () => {
    const { dependencies, devDependencies, allowScripts } = read('package.json');
    for (const [name, version] of Object.entries<string>({ ...dependencies, ...devDependencies })) {
      assert.match(version, /^\d+\.\d+\.\d+(-beta\.\d+)?$/, name);
    }
    const withScripts = packages.filter(([, { hasInstallScript, optional }]) => hasInstallScript && !optional);
    const names = withScripts.map(([path]) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length));
    assert.deepEqual(names.sort(), Object.keys(allowScripts).sort());
  });
});
