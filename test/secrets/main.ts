/** `npm run secrets`: gitleaks over the files and, where there is one, over the history; and that it finds what is there. */
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheFolder } from '../cluster/binaries.ts';
import { ensureBuilt } from '../cluster/build.ts';

const root = join(import.meta.dirname, '../..');
const say = (line: string) => void process.stderr.write(`${line}\n`);
const gitleaks = join(await built(), 'gitleaks');

if (!findsOne()) {
  say('gitleaks does not find a secret that is there: its answer says nothing');
  process.exitCode = 1;
} else {
  const scans = existsSync(join(root, '.git')) ? ['dir', 'git'] : ['dir'];
  const codes = scans.map((kind) => scan(kind));
  process.exitCode = codes.every((code) => code === 0) ? 0 : 1;
}

function scan(kind: string): number {
  say(`gitleaks ${kind}`);
  const flags = ['--no-banner', '--redact', '--verbose', '--config', join(root, '.gitleaks.toml')];
  return spawnSync(gitleaks, [kind, '.', ...flags], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] }).status ?? 1;
}

/** A token of the shape of a forge's, made anew each time so that no file holds it. */
function findsOne(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'zen-watcher-secrets-'));
  try {
    writeFileSync(join(folder, 'settings.ts'), `const token = 'ghp_${randomBytes(18).toString('hex')}';\n`);
    const flags = ['--no-banner', '--redact', '--log-level', 'error', '--config', join(root, '.gitleaks.toml')];
    return spawnSync(gitleaks, ['dir', folder, ...flags], { cwd: root }).status === 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function built(): Promise<string> {
  const [goMod = '', goSum = ''] = ['go.mod', 'go.sum'].map((name) =>
    readFileSync(join(import.meta.dirname, name), 'utf8'),
  );
  const hash = createHash('sha256').update(goMod).update('\0').update(goSum).digest('hex').slice(0, 10);
  const folder = join(cacheFolder(), 'secrets', `${process.platform}-${process.arch}-${hash}`);
  await ensureBuilt({
    moduleFolder: import.meta.dirname,
    programs: [{ name: 'gitleaks', package: 'github.com/zricethezav/gitleaks/v8' }],
    folder,
    goVersion: /^go (\S+)$/m.exec(goMod)?.[1] ?? '1.26.0',
    linkerFlags: '-s -w',
    expectation: 'the first build takes about a minute; cached afterwards',
    alternative: 'Nothing else needs it.',
    log: say,
  });
  return folder;
}
