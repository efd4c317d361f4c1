/** `zen-watcher scan` and what adapters copied: left out where the tool's own reports are given too, a finding where not. */
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { suite, test } from 'node:test';
import { filesOnDisk } from '../../src/cli/report-files.ts';
import { scan } from '../../src/cli/scan.ts';
import { readAt } from '../support/reports.ts';
import { trivyReportOf } from '../support/traps.ts';

const own = trivyReportOf('ConfigAuditReport', 'shop-5b7c9d6f84', { checks: [] });
const copied = {
  apiVersion: 'openreports.io/v1alpha1',
  kind: 'Report',
  metadata: { name: 'trivy-audit-polr-shop', namespace: 'store' },
  results: [
    { policy: 'Runs as root', rule: 'KSV012', result: 'fail', severity: 'medium', source: 'Trivy ConfigAudit' },
    { policy: 'Terminal shell', result: 'fail', severity: 'low', source: 'Falco' },
  ],
};

/** The table, without its head and the names, and the closing words. */
async function scanned(...documents: readonly unknown[]) {
  const output = { stdout: '', stderr: '' };
  const collect = (to: keyof typeof output) =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        output[to] += chunk.toString();
        done();
      },
    });
  async function* stdin() {
    yield Buffer.from(JSON.stringify(documents));
  }
  const clock = { now: () => readAt, monotonicMs: () => 0 };
  const io = {
    stdin: stdin(),
    stdout: collect('stdout'),
    stderr: collect('stderr'),
    files: filesOnDisk,
    clock,
    useColor: false,
  };
  const code = await scan({ paths: ['-'], output: 'table' }, io);
  const rows = output.stdout.split('\n').slice(1, -1);
  return { code, summaries: rows.map((row) => row.split(/ {2,}/).at(-1)), words: output.stderr };
}

suite('scan of copies', () => {
  test('they are findings where the tool itself is not read', async () => {
    assert.deepEqual(await scanned(copied), {
      code: 0,
      summaries: ['Runs as root/KSV012', 'Terminal shell'],
      words: '2 findings in 1 report: 1 medium, 1 low\n',
    });
  });

  test('they are left out where it is, in any order, and that is said', async () => {
    for (const documents of [
      [copied, own],
      [own, copied],
    ]) {
      assert.deepEqual(await scanned(...documents), {
        code: 0,
        summaries: ['Terminal shell'],
        words: '1 finding in 2 reports: 1 low; left out: 1 copied by adapters from tools that are read themselves\n',
      });
    }
  });
});
