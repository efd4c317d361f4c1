/** `npm run generate` writes all generated files; with `-- --check` it writes nothing and fails when one is stale. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { generatedFiles } from './generated-files.ts';

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const root = join(import.meta.dirname, '../..');
let stale = 0;
for (const { file, render } of generatedFiles) {
  const path = join(root, file);
  const generated = render();
  if (existsSync(path) && readFileSync(path, 'utf8') === generated) continue;
  stale += 1;
  if (values.check) {
    console.error(difference(file, generated));
  } else {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, generated);
    console.error(`wrote ${file}`);
  }
}
if (stale === 0) console.error(`${generatedFiles.length} generated file(s) up to date`);
else if (values.check) {
  console.error(`${stale} of ${generatedFiles.length} generated file(s) stale: run \`npm run generate\``);
  process.exitCode = 1;
}

/** From the file as it is to what it must be, in the words of git. */
function difference(file: string, generated: string): string {
  if (!existsSync(join(root, file))) return `${file} is missing`;
  const args = ['diff', '--no-index', '--no-color', '--unified=1', '--', file, '-'];
  const { stdout } = spawnSync('git', args, { cwd: root, input: generated, encoding: 'utf8' });
  return stdout || `${file} differs`;
}
