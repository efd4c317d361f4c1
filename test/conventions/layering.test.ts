/**
 * The direction of imports is held by biome.json. A lint rule that was never seen to fire may not work at all, so this
 * lints small offending files, laid out as the repository is, and asserts that each is refused by the rule meant for it.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';

const root = join(import.meta.dirname, '../..');

/** One line of code in a folder, and the rule that refuses it there; null where it is permitted. */
interface Snippet {
  readonly folder: string;
  readonly code: string;
  readonly refusedBy: string | null;
}

const imports = 'lint/style/noRestrictedImports';
const environment = 'lint/style/noProcessEnv';
const print = 'lint/suspicious/noConsole';

/** What each folder of src may import and may not. */
const importRules: Readonly<Record<string, { permitted: readonly string[]; refused: readonly string[] }>> = {
  'src/api': {
    permitted: ['./words.ts'],
    refused: [
      '../lib/x.ts',
      '../sources/x.ts',
      'zod',
      '@kubernetes/client-node',
      'node:fs',
      '../daemon.ts',
      './../lib/x.ts',
    ],
  },
  'src/lib': {
    permitted: ['./x.ts', 'node:crypto', 'node:util', 'node:zlib'],
    refused: ['../api/x.ts', '../daemon.ts', 'winston', 'node:fs', 'node:net', 'node:process', './../api/x.ts'],
  },
  'src/sources': {
    permitted: ['./x.ts', '../api/x.ts', '../lib/x.ts'],
    refused: [
      '../pipeline/x.ts',
      '../kube/x.ts',
      '../http/x.ts',
      '../config/x.ts',
      '../telemetry/x.ts',
      '../daemon.ts',
      'undici',
      'node:fs',
      '../lib/../kube/x.ts',
      './../kube/x.ts',
    ],
  },
  'src/pipeline': {
    permitted: ['./x.ts', '../api/x.ts', '../lib/x.ts', '../sources/x.ts', 'lru-cache', 'p-queue', 'node:crypto'],
    refused: [
      '../kube/x.ts',
      '../http/x.ts',
      '../config/x.ts',
      '../telemetry/x.ts',
      '../cli/x.ts',
      '../daemon.ts',
      'node:http',
      'node:https',
      'node:net',
      'node:tls',
      'node:fs',
      'node:fs/promises',
      'node:child_process',
      'undici',
      '@kubernetes/client-node',
      'winston',
      'prom-client',
      '../lib/../kube/x.ts',
    ],
  },
  'src/kube': {
    permitted: ['./x.ts', '../api/x.ts', '../lib/x.ts', 'undici', '@kubernetes/client-node', 'node:fs/promises'],
    refused: [
      '../pipeline/x.ts',
      '../http/x.ts',
      '../sources/x.ts',
      '../config/x.ts',
      '../daemon.ts',
      'node:process',
      '../lib/../pipeline/x.ts',
    ],
  },
  'src/http': {
    permitted: ['./x.ts', '../api/x.ts', '../lib/x.ts', '../sources/x.ts', 'node:http'],
    refused: [
      '../pipeline/x.ts',
      '../kube/x.ts',
      '../config/x.ts',
      '../daemon.ts',
      'node:process',
      '../api/../kube/x.ts',
    ],
  },
  'src/telemetry': {
    permitted: ['./x.ts', '../api/x.ts', '../lib/x.ts', '../pipeline/x.ts', 'winston', 'prom-client'],
    refused: ['../kube/x.ts', '../http/x.ts', '../daemon.ts', 'node:process'],
  },
  'src/config': {
    permitted: ['./x.ts', '../api/x.ts', '../pipeline/x.ts', '../telemetry/x.ts', 'zod', 'yaml', 'node:process'],
    refused: ['../kube/x.ts', '../http/x.ts', '../cli/x.ts', '../daemon.ts'],
  },
  'src/cli': {
    permitted: ['./x.ts', '../config/x.ts', '../pipeline/x.ts', '../daemon.ts', 'commander'],
    refused: ['node:process', './../x/../y.ts'],
  },
  src: {
    permitted: ['./kube/x.ts', './pipeline/x.ts', './http/x.ts'],
    refused: ['node:process', './kube/../http/x.ts'],
  },
};

const snippets: Snippet[] = [
  ...Object.entries(importRules).flatMap(([folder, { permitted, refused }]) => [
    ...permitted.map((from) => ({ folder, code: `import { x } from '${from}';`, refusedBy: null })),
    ...refused.map((from) => ({ folder, code: `import { x } from '${from}';`, refusedBy: imports })),
  ]),
  // Types, re-exports and dynamic imports are imports too.
  { folder: 'src/pipeline', code: "import type { x } from '../kube/x.ts';", refusedBy: imports },
  { folder: 'src/pipeline', code: "export type { x } from '../kube/x.ts';", refusedBy: imports },
  { folder: 'src/pipeline', code: "const x = await import('../kube/x.ts');", refusedBy: imports },
  ...[
    'src/api',
    'src/lib',
    'src/sources',
    'src/pipeline',
    'src/kube',
    'src/http',
    'src/telemetry',
    'src/cli',
    'src',
  ].map((folder) => ({ folder, code: 'const x = process.env;', refusedBy: environment })),
  ...['src/config', 'cmd/zen-watcher', 'cmd/build', 'test/unit'].map((folder) => ({
    folder,
    code: 'const x = process.env;',
    refusedBy: null,
  })),
  ...['src/kube', 'src/cli', 'src'].map((folder) => ({ folder, code: 'const x = console.log(1);', refusedBy: print })),
  ...['cmd/build', 'test/unit'].map((folder) => ({ folder, code: 'const x = console.log(1);', refusedBy: null })),
];

/** The snippet with a use of its `x`, so that only the rules in question have something to say. */
function used(code: string): string {
  if (code.startsWith('export')) return code;
  return code.startsWith('import type') ? `${code}\nexport type Y = x;` : `${code}\nexport const y = [x];`;
}

suite('biome.json', () => {
  let folder: string;
  /** File -> the rules that refused it. */
  const refusals = new Map<string, Set<string>>();

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'zen-layering-'));
    for (const file of ['biome.json', '.gitignore']) copyFileSync(join(root, file), join(folder, file));
    for (const [index, { folder: place, code }] of snippets.entries())
      write(`${place}/snippet-${index}.ts`, used(code));
    write('src/sources/cycle-a.ts', "import { b } from './cycle-b.ts';\nexport const a = () => b;");
    write('src/sources/cycle-b.ts', "import { a } from './cycle-a.ts';\nexport const b = () => a;");
    lint();
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function write(file: string, text: string): void {
    const path = join(folder, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  function lint(): void {
    const biome = join(root, 'node_modules/.bin/biome');
    const args = ['lint', '--reporter=json', '--max-diagnostics=none', '.'];
    const { stdout, stderr } = spawnSync(process.execPath, [biome, ...args], { cwd: folder, encoding: 'utf8' });
    let report: { diagnostics: { category: string; location: { path: string } }[] };
    try {
      report = JSON.parse(stdout);
    } catch (cause) {
      throw new Error(`biome gave no report: ${stderr}`, { cause });
    }
    for (const { category, location } of report.diagnostics) {
      refusals.set(location.path, (refusals.get(location.path) ?? new Set()).add(category));
    }
  }

  for (const [index, { folder: place, code, refusedBy }] of snippets.entries()) {
    test(`${place}: ${code} is ${refusedBy === null ? 'permitted' : 'refused'}`, () => {
      const refusing = [...(refusals.get(`${place}/snippet-${index}.ts`) ?? [])];
      assert.deepEqual(refusing, refusedBy === null ? [] : [refusedBy]);
    });
  }

  test('a cycle is refused in both of its files', () => {
    for (const file of ['src/sources/cycle-a.ts', 'src/sources/cycle-b.ts']) {
      assert.deepEqual([...(refusals.get(file) ?? [])], ['lint/suspicious/noImportCycles']);
    }
  });
});
