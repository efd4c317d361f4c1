/** Steps of a release that also run at home: `npm run release -- check|chart|notes`, `npm run audit|licenses|sbom`. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { ensureHelm } from '../../test/chart/programs.ts';
import { auditVerdict } from './audit.ts';
import { isPermitted, productionPackages } from './licences.ts';

const root = join(import.meta.dirname, '../..');
const usage = `usage: npm run release -- COMMAND
  check TAG             the tag, package.json, the chart and CHANGELOG.md say the same version
  chart VERSION DIGEST  package the chart for an image, into release/
  notes VERSION         what CHANGELOG.md says of a version
  audit                 known vulnerabilities of the packages, where the registry knows any
  licenses              the licences of what is shipped; fails for one that is not permitted
  sbom                  SBOMs of the lock file, SPDX and CycloneDX, into sbom/
`;

const commands: Record<string, (...args: string[]) => Promise<number> | number> = {
  check,
  chart,
  notes,
  audit,
  licenses,
  sbom,
};
const [word = '', ...args] = process.argv.slice(2);
const command = Object.hasOwn(commands, word) ? commands[word] : undefined;
if (command === undefined) {
  process.stderr.write(usage);
  process.exitCode = 2;
} else {
  process.exitCode = await command(...args);
}

function check(tag = ''): number {
  const version = tag.replace(/^v/, '');
  const { version: program } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const about = parseDocument(readFileSync(join(root, 'charts/zen-watcher/Chart.yaml'), 'utf8'));
  const found = { 'package.json': program, 'version of Chart.yaml': about.get('version') };
  const all = { ...found, 'appVersion of Chart.yaml': about.get('appVersion') };
  const wrong = Object.entries(all).filter(([, value]) => value !== version);
  for (const [where, value] of wrong) say(`${where} says ${value}, the tag says ${version}`);
  const text = notesOf(version);
  if (text === '') say(`CHANGELOG.md has no section "## ${version}"`);
  return wrong.length === 0 && text !== '' ? 0 : 1;
}

async function chart(version = '', digest = ''): Promise<number> {
  if (!/^\d+\.\d+\.\d+/.test(version) || !/^sha256:[0-9a-f]{64}$/.test(digest)) {
    say('chart needs a version and the digest of its image (sha256:...)');
    return 2;
  }
  const helm = await ensureHelm(say);
  const folder = mkdtempSync(join(tmpdir(), 'zen-watcher-chart-'));
  try {
    const copy = join(folder, 'zen-watcher');
    cpSync(join(root, 'charts/zen-watcher'), copy, { recursive: true });
    const values = join(copy, 'values.yaml');
    const document = parseDocument(readFileSync(values, 'utf8'));
    document.setIn(['image', 'digest'], digest);
    writeFileSync(values, document.toString({ lineWidth: 0 }));
    mkdirSync(join(root, 'release'), { recursive: true });
    const flags = ['--version', version, '--app-version', version, '--destination', join(root, 'release')];
    return run(helm, ['package', copy, ...flags]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function notes(version = ''): number {
  process.stdout.write(`${notesOf(version)}\n`);
  return 0;
}

function notesOf(version: string): string {
  const sections = readFileSync(join(root, 'CHANGELOG.md'), 'utf8').split(/^## /m);
  const section = sections.find((text) => text.startsWith(`${version}\n`) || text.startsWith(`${version} `));
  return section?.slice(section.indexOf('\n')).trim() ?? '';
}

function audit(): number {
  const { stdout, stderr } = spawnSync('npm', ['audit', '--json'], { cwd: root, encoding: 'utf8' });
  const verdict = auditVerdict(stdout, stderr);
  say(verdict.words);
  return verdict.code;
}

function licenses(): number {
  const packages = productionPackages(root);
  const wrong = packages.filter(({ installed, locked }) => !isPermitted(installed) || !isPermitted(locked));
  for (const { path, installed, locked } of wrong) say(`${path}: ${String(installed)} (lock file: ${String(locked)})`);
  const words = [...new Set(packages.map(({ locked }) => String(locked)))].toSorted();
  say(`${packages.length} packages are shipped, under ${words.join(', ')}; ${wrong.length} not permitted`);
  return wrong.length === 0 ? 0 : 1;
}

function sbom(): number {
  mkdirSync(join(root, 'sbom'), { recursive: true });
  for (const format of ['spdx', 'cyclonedx']) {
    const flags = ['sbom', '--sbom-format', format, '--omit', 'dev', '--package-lock-only'];
    const { status, stdout, stderr } = spawnSync('npm', flags, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26 });
    if (status !== 0) {
      say(stderr);
      return 1;
    }
    writeFileSync(join(root, 'sbom', `npm.${format}.json`), stdout);
    say(`wrote sbom/npm.${format}.json`);
  }
  return 0;
}

function run(program: string, flags: readonly string[]): number {
  return spawnSync(program, flags, { cwd: root, stdio: 'inherit' }).status ?? 1;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
