/** `npm run build`: bundles the program into dist/, with the licences of what it contains. `-- --analyze` says what is large. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { analyzeMetafile } from 'esbuild';
import { bundle } from './bundle.ts';
import { bundledPackages, thirdPartyLicenses } from './licenses.ts';

const { values } = parseArgs({ options: { analyze: { type: 'boolean', default: false } } });
const root = join(import.meta.dirname, '../..');
const folder = join(root, 'dist');
const start = performance.now();
const metafile = await bundle(folder);
writeFileSync(join(folder, 'THIRD_PARTY_LICENSES.txt'), thirdPartyLicenses(metafile, root));
if (values.analyze) console.log(await analyzeMetafile(metafile));
const code = Object.entries(metafile.outputs).filter(([path]) => path.endsWith('.js'));
const kilobytes = Math.round(code.reduce((sum, [, { bytes }]) => sum + bytes, 0) / 1000);
const packages = bundledPackages(metafile, root).length;
console.error(
  `built dist/zen-watcher.js: ${kilobytes} KB in ${code.length} files, from our code and ${packages} packages, ` +
    `in ${Math.round(performance.now() - start)} ms`,
);
