/** A report of 10 MiB costs bounded memory: it is read in a process whose heap is that of a small container. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { caseFile } from '../support/format-cases.ts';
import { repositoryRoot } from '../support/repository.ts';

const mebibyte = 2 ** 20;
/** Of 256 MiB the chart gives 159 to the heap. */
const heapMebibytes = 159;

test('10 MiB of findings are read with the heap of a container of 256 MiB', async () => {
  const report = JSON.parse(readFileSync(caseFile('trivy-cli', 'one'), 'utf8'));
  const result = report.Results.find(({ Vulnerabilities }: { Vulnerabilities?: unknown[] }) => Vulnerabilities?.length);
  const [sample] = result.Vulnerabilities;
  const count = Math.ceil((10 * mebibyte) / JSON.stringify(sample).length);
  result.Vulnerabilities = Array.from({ length: count }, (_, at) => ({ ...sample, VulnerabilityID: `CVE-2025-${at}` }));
  const folder = mkdtempSync(join(tmpdir(), 'zen-watcher-large-'));
  try {
    const file = join(folder, 'report.json');
    writeFileSync(file, JSON.stringify(report));
    const program = join(repositoryRoot, 'cmd/zen-watcher/main.ts');
    const flags = [`--max-old-space-size=${heapMebibytes}`, program, 'scan', '-o', 'ndjson', file];
    const { stdout } = await promisify(execFile)(process.execPath, flags, { maxBuffer: 2 ** 28 });
    assert.equal(stdout.split('\n').length - 1, count);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
