/** Bearer tokens in mounted files: several at a time, so that one can be replaced by another while both are valid. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { MountedFile } from './mounted-files.ts';
import { MountedFiles } from './mounted-files.ts';

/** Shorter ones can be guessed. */
const minimumCharacters = 16;
const maximumCharacters = 4096;
const maximumTokens = 64;

/** What files say of tokens. */
export interface TokenState {
  readonly tokens: number;
  /** In words, without any of a token. */
  readonly problems: readonly string[];
}

export class Tokens {
  readonly #files: MountedFiles;
  #hashes: readonly Buffer[] = [];

  /** `changed` is told at the start and whenever the files say something else. */
  constructor(paths: readonly string[], changed: (state: TokenState) => void) {
    this.#files = new MountedFiles(paths, (files) => {
      const { tokens, problems } = tokensIn(files);
      this.#hashes = tokens.map(hashOf);
      changed({ tokens: tokens.length, problems });
    });
  }

  start(everyMs?: number): void {
    this.#files.start(everyMs);
  }

  stop(): void {
    this.#files.stop();
  }

  /** Whether it is one of them. Takes as long for any text of a length, whatever the tokens are. */
  has(token: string): boolean {
    const hash = hashOf(token);
    let isOne = false;
    for (const one of this.#hashes) if (timingSafeEqual(one, hash)) isOne = true;
    return isOne;
  }
}

function tokensIn(files: readonly MountedFile[]): {
  readonly tokens: readonly string[];
  readonly problems: readonly string[];
} {
  const tokens = new Set<string>();
  const problems: string[] = [];
  for (const file of files) {
    if ('problem' in file) {
      problems.push(`${file.path}: ${file.problem}`);
      continue;
    }
    for (const [index, line] of file.text.split('\n').entries()) {
      const token = line.trim();
      if (token === '') continue;
      const where = `${file.path}: line ${index + 1}`;
      if (!/^[\x21-\x7e]+$/.test(token))
        problems.push(`${where}: a token is of visible ASCII characters without spaces`);
      else if (token.length < minimumCharacters)
        problems.push(`${where}: is shorter than ${minimumCharacters} characters`);
      else if (token.length > maximumCharacters)
        problems.push(`${where}: is longer than ${maximumCharacters} characters`);
      else if (tokens.size >= maximumTokens) problems.push(`${where}: there are more than ${maximumTokens} tokens`);
      else tokens.add(token);
    }
  }
  return { tokens: [...tokens], problems };
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
