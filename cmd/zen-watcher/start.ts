#!/usr/bin/env node
/** Where the bundle starts: looks at the version of Node before anything is loaded that an older one cannot read. */
import { tooOldMessage } from './node-version.ts';

const message = tooOldMessage(process.versions.node);
if (message === undefined) {
  await import('./main.ts');
} else {
  process.stderr.write(`${message}\n`);
  process.exitCode = 2;
}
