/** How the program is bundled: `dist/zen-watcher.js`, a few lines that check Node, and beside it the chunks that it loads. */
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build, type Metafile } from 'esbuild';
import { slimming } from './slimming.ts';

const root = join(import.meta.dirname, '../..');

/** Bundles the program into a folder, which holds nothing else afterwards. A build that fails leaves it as it was. */
export async function bundle(folder: string): Promise<Metafile> {
  const { metafile, outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: {
      'zen-watcher': 'cmd/zen-watcher/start.ts',
      'kubectl-zenevents': 'cmd/zen-watcher/kubectl-zenevents.ts',
    },
    outdir: folder,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    // What a command does not need stays in a chunk that it does not load: `scan` has no HTTP client.
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
    // Names stay as they are, so that stack traces can be read; shorter ones saved neither memory nor time.
    minifySyntax: true,
    minifyWhitespace: true,
    // Packages in CommonJS require Node's own modules, which an ES module can only do with this.
    banner: {
      js: `import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);`,
    },
    // The switch with which undici is built into Node: without its experimental second HTTP parser (150 KB).
    define: { esbuildDetection: 'true' },
    plugins: [slimming()],
    sourcemap: 'linked',
    sourcesContent: false,
    legalComments: 'none',
    metafile: true,
    write: false,
    logLevel: 'warning',
  });
  rmSync(folder, { recursive: true, force: true });
  for (const { path, contents } of outputFiles) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, contents);
  }
  for (const name of ['zen-watcher.js', 'kubectl-zenevents.js']) chmodSync(join(folder, name), 0o755);
  return metafile;
}
