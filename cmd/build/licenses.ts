/** The licences of the packages that a bundle holds, as they ask to be passed on. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';

interface BundledPackage {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly folder: string;
}

/** The text of THIRD_PARTY_LICENSES.txt: every package of which something is in the bundle. */
export function thirdPartyLicenses(metafile: Metafile, root: string): string {
  const packages = bundledPackages(metafile, root);
  const sections = packages.map(({ name, version, license, folder }) => {
    const texts = licenseFiles(folder).map((file) => readFileSync(join(folder, file), 'utf8').trim());
    const words = texts.length > 0 ? texts.join('\n\n') : `(The package has no licence file; it declares ${license}.)`;
    return `${name} ${version} (${license})\n\n${words.replaceAll('\r\n', '\n')}\n`;
  });
  const head = `zen-watcher contains code of these ${packages.length} packages.\n`;
  return [head, ...sections].join(`\n${'='.repeat(80)}\n\n`);
}

/** The packages whose code is in an output; those that tree shaking removed are not. */
export function bundledPackages({ outputs }: Metafile, root: string): BundledPackage[] {
  const inputs = Object.values(outputs).flatMap(({ inputs: parts }) =>
    Object.entries(parts).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : [])),
  );
  const folders = new Set(inputs.flatMap((path) => packageFolder(join(root, path)) ?? []));
  const packages = [...folders].map((folder): BundledPackage => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    return { name, version, license, folder };
  });
  return packages.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The folder of the package that a file belongs to; undefined for our own files. */
function packageFolder(file: string): string | undefined {
  return /^.*[/\\]node_modules[/\\](?:@[^/\\]+[/\\])?[^/\\]+(?=[/\\])/.exec(file)?.[0];
}

function licenseFiles(folder: string): string[] {
  return readdirSync(folder)
    .filter((file) => /^(licen[cs]e|copying|notice)([-._].*)?$/i.test(file))
    .sort();
}
