/** Licences of what is shipped, and which are permitted in an Apache-2.0 image; all of them permissive. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const permitted = [
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  'PSF-2.0', // argparse, of js-yaml, of client-node
  'Python-2.0',
  'Unlicense', // stream-buffers, of client-node
];

/** An SPDX expression whose every `AND` part has a permitted alternative. */
export function isPermitted(expression: unknown): boolean {
  if (typeof expression !== 'string') return false;
  const parts = expression.replace(/[()]/g, '').split(' AND ');
  return parts.every((part) => part.split(' OR ').some((word) => permitted.includes(word.trim())));
}

/** A package that runs in production, with its licence by its own manifest and by the lock file. */
export interface LicensedPackage {
  readonly path: string;
  readonly installed: unknown;
  readonly locked: unknown;
}

/** The packages of package-lock.json that are not for development only. */
export function productionPackages(root: string): LicensedPackage[] {
  const read = (path: string) => JSON.parse(readFileSync(join(root, path), 'utf8'));
  const packages: [string, { readonly dev?: boolean; readonly license?: string }][] = Object.entries(
    read('package-lock.json').packages,
  );
  return packages
    .filter(([path, { dev }]) => path !== '' && !dev)
    .map(([path, { license }]) => {
      const manifest = join(path, 'package.json');
      // What npm did not install here (another platform's) is judged by the lock file alone.
      const installed = existsSync(join(root, manifest)) ? read(manifest).license : license;
      return { path, installed, locked: license };
    });
}
