/** Copies of the product with one fault each, to see that the random histories find it. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from '../repository.ts';

/** A text of a file that stands there exactly once, and what takes its place. */
export interface Replacement {
  readonly file: string;
  readonly find: string;
  readonly put: string;
}

/** A fault, and where it is put in. */
export interface Mutant {
  readonly name: string;
  readonly replacements: readonly Replacement[];
}

/** Each breaks another promise. */
export const mutants: readonly Mutant[] = [
  {
    name: 'a skipped resolve: one finding in three is never taken for fixed',
    replacements: [
      {
        file: 'src/pipeline/absence.ts',
        find: '      holdings.decided(row);\n',
        put: '      if (row % 3 === 0) continue;\n      holdings.decided(row);\n',
      },
    ],
  },
  {
    name: 'a forgotten key: the queue loses one key in eight',
    replacements: [
      {
        file: 'src/pipeline/work-queue.ts',
        find: '    this.#waiting.set(intent.key, added);\n',
        put: `    if ('abcd'.includes(intent.key.at(-1) ?? '')) return { kind: 'queued' };
    this.#waiting.set(intent.key, added);\n`,
      },
    ],
  },
  {
    name: 'a double count: what was written is entered into the books twice',
    replacements: [
      {
        file: 'src/pipeline/books.ts',
        find: '    page.pending -= occurrences;\n    page.accounts[account] += occurrences;\n',
        put: '    page.pending -= occurrences;\n    page.accounts[account] += 2 * occurrences;\n',
      },
    ],
  },
  {
    name: 'a double count: an event counts two',
    replacements: [
      {
        file: 'src/pipeline/event-changes.ts',
        find: '    const { count } = intent;\n    if (count === undefined ||',
        put: '    const { count = 2 } = intent;\n    if (count === undefined ||',
      },
    ],
  },
  {
    name: 'a write for nothing: what is unchanged is sent again',
    replacements: [
      {
        file: 'src/pipeline/reconciler.ts',
        find: '    if (isToBeActive && comingHash === intent.contentHash) {\n',
        put: '    if (isToBeActive && comingHash === -1) {\n',
      },
      {
        file: 'src/pipeline/event-changes.ts',
        find: '    } else if (index.isActive(row) && index.storedHash(row) === intent.contentHash) {\n',
        put: '    } else if (index.isActive(row) && index.storedHash(row) === -1) {\n',
      },
      {
        file: 'src/pipeline/event-changes.ts',
        find: '    if (contentHash(current) !== intent.contentHash) {\n',
        put: '    if (contentHash(current) !== -1) {\n',
      },
    ],
  },
  {
    name: 'an event forgets since when it is there',
    replacements: [
      {
        file: 'src/pipeline/event-changes.ts',
        find: '    spec: { ...wanted.spec, ...(detectedAt === undefined ? {} : { detectedAt }) },\n',
        put: '    spec: wanted.spec,\n',
      },
    ],
  },
];

/** A copy of the product in a folder of its own. */
export interface Copy {
  readonly root: string;
  remove(): void;
}

/** Copies the product and puts a fault in; throws where the text to replace does not stand exactly once. */
export function copyWith(replacements: readonly Replacement[]): Copy {
  const root = mkdtempSync(join(tmpdir(), 'zen-watcher-copy-'));
  const remove = () => rmSync(root, { recursive: true, force: true });
  try {
    for (const part of ['src', 'cmd', 'package.json']) {
      cpSync(join(repositoryRoot, part), join(root, part), { recursive: true });
    }
    symlinkSync(join(repositoryRoot, 'node_modules'), join(root, 'node_modules'));
    for (const { file, find, put } of replacements) {
      const path = join(root, file);
      const pieces = readFileSync(path, 'utf8').split(find);
      if (pieces.length !== 2) throw new Error(`${file} has ${pieces.length - 1} times, not once: ${find}`);
      writeFileSync(path, pieces.join(put));
    }
    return { root, remove };
  } catch (error) {
    remove();
    throw error;
  }
}
