/** The files that the arguments of `scan` mean, and their bytes. */
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../lib/error-message.ts';

/** A file to read, or why a path is none. */
export type FoundFile = { readonly path: string } | { readonly path: string; readonly problem: string };

/** Where reports are read from; tests put their own in its place. */
export interface ReportFiles {
  /** A file itself; of a folder the report files in it and below, in the order of their names. */
  find(path: string): AsyncIterable<FoundFile>;
  open(path: string): AsyncIterable<Uint8Array>;
}

/** The files on disk. */
export const filesOnDisk: ReportFiles = { find, open: (path) => createReadStream(path) };

const reportName = /\.(json|ya?ml|ndjson|jsonl)$/i;

async function* find(path: string): AsyncGenerator<FoundFile> {
  try {
    if ((await stat(path)).isDirectory()) yield* filesBelow(path);
    else yield { path };
  } catch (error) {
    yield { path, problem: reasonOf(error) };
  }
}

/**
 * Hidden files and folders are passed over (.git, and the data folders of mounted ConfigMaps), and so are links to
 * folders, which may lead round in circles. Links to files are followed: mounted ConfigMaps consist of them.
 */
async function* filesBelow(folder: string): AsyncGenerator<FoundFile> {
  let entries: Awaited<ReturnType<typeof list>>;
  try {
    entries = await list(folder);
  } catch (error) {
    yield { path: folder, problem: reasonOf(error) };
    return;
  }
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (reportName.test(entry.name) && (entry.isFile() || (entry.isSymbolicLink() && (await isFile(path))))) {
      yield { path };
    }
  }
}

async function list(folder: string) {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.filter(({ name }) => !name.startsWith('.')).sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** All bytes; undefined when there are more than the limit. */
export async function readUpTo(chunks: AsyncIterable<Uint8Array>, limit: number): Promise<Uint8Array | undefined> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    length += chunk.length;
    if (length > limit) return undefined;
    parts.push(chunk);
  }
  return Buffer.concat(parts, length);
}

/** Why the file system refused, in words. */
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const words: Readonly<Record<string, string>> = {
    ENOENT: 'no such file or folder',
    EACCES: 'permission denied',
    EPERM: 'permission denied',
    ELOOP: 'too many links',
    EISDIR: 'is a folder',
  };
  return words[code] ?? messageOf(error);
}
