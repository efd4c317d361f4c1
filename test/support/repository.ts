/** The files of this repository, for tests of its conventions. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const repositoryRoot = join(import.meta.dirname, '../..');

/** A file as the repository has it; `text` is undefined for what is not text. */
export interface RepositoryFile {
  readonly path: string;
  readonly text: string | undefined;
}

/** What git prints about this repository, whoever its files belong to. */
export function git(...args: string[]): string {
  const options = { cwd: repositoryRoot, encoding: 'utf8', maxBuffer: 2 ** 26 } as const;
  return execFileSync('git', ['-c', 'safe.directory=*', ...args], options);
}

/** Files that are committed or would be: git's list and what it does not ignore, without those deleted by hand. */
export function repositoryFiles(): RepositoryFile[] {
  const paths = new Set(
    git('ls-files', '-z', '--cached', '--others', '--exclude-standard')
      .split('\0')
      .filter((path) => path !== '' && existsSync(join(repositoryRoot, path))),
  );
  return [...paths].sort().map((path) => {
    const bytes = readFileSync(join(repositoryRoot, path));
    return { path, text: bytes.includes(0) ? undefined : bytes.toString('utf8') };
  });
}

/** `path:line: text` of every line of a file that a pattern matches. */
export function linesMatching({ path, text = '' }: RepositoryFile, pattern: RegExp): string[] {
  return text
    .split('\n')
    .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim().slice(0, 120)}`] : []));
}
