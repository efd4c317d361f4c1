/**
 * `npm run chart:check`: the rendered chart before scanners that others wrote: helm lint, kubeconform (strict, by the
 * schemas of the API server that the tests build), kube-score and Checkov. What they may say is listed here with its
 * reason and in docs/compliance.md; anything else fails, and so does a reason that is not needed any more.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startControlPlane } from '../cluster/control-plane.ts';
import { chartFolder, Helm } from '../support/helm.ts';
import { Rest } from '../support/rest.ts';
import { ensureCheckov, ensureScanners } from './programs.ts';
import { writeSchemas } from './schemas.ts';
import { foreignKinds, variants } from './variants.ts';

/** Why a scanner is not followed. */
const accepted: Readonly<Record<string, string>> = {
  'container-ephemeral-storage-request-and-limit':
    'nothing is written: the root is read-only and there is no volume to write on',
  'container-security-context-user-group-id':
    'the image is built for 1001, and the pod may not be root whatever the number',
  'deployment-has-host-podantiaffinity': 'topologySpreadConstraints spread the pods',
  CKV_K8S_38: 'the daemon talks to the API server: its token is what it works with',
  CKV_K8S_40: 'the image is built for 1001, and the pod may not be root whatever the number',
  CKV_K8S_43: 'a release names the digest in its packaged chart; the source names the tag',
};

const say = (line: string) => void process.stderr.write(`${line}\n`);
const folder = mkdtempSync(join(tmpdir(), 'zen-watcher-check-'));
const problems: string[] = [];
const used = new Set<string>();
const helm = await Helm.on();
try {
  const lint = await helm.run(['lint', '--strict', chartFolder]);
  if (lint.code !== 0) problems.push(`helm lint: ${lint.stdout}${lint.stderr}`);
  const files: string[] = [];
  for (const [index, [title, values]] of Object.entries(variants).entries()) {
    const file = join(folder, `${index}-${title.replaceAll(' ', '-')}.yaml`);
    writeFileSync(file, await helm.text(values));
    files.push(file);
  }
  const scanners = await ensureScanners(say);
  await schemas();
  conform(scanners.kubeconform, files);
  score(scanners.kubeScore, files[0] ?? '');
  checkov(files[0] ?? '');
  for (const id of Object.keys(accepted)) if (!used.has(id)) problems.push(`${id} is accepted and nothing says it`);
} finally {
  helm.stop();
  rmSync(folder, { recursive: true, force: true });
}
for (const problem of problems) say(`FAILED: ${problem}`);
say(problems.length === 0 ? 'the chart passes' : `${problems.length} problem(s)`);
process.exitCode = problems.length === 0 ? 0 : 1;

async function schemas(): Promise<void> {
  const controlPlane = await startControlPlane({ controllerManager: false, log: say });
  const rest = new Rest(controlPlane);
  try {
    const { body } = await rest.send('GET', '/openapi/v2');
    say(`${writeSchemas(body, folder)} schemas from ${controlPlane.server}`);
  } finally {
    await rest.close();
    await controlPlane.stop();
  }
}

function conform(program: string, files: readonly string[]): void {
  const location = `file://${folder}/{{.ResourceKind}}{{.KindSuffix}}.json`;
  const flags = [
    '-strict',
    '-summary',
    '-output',
    'json',
    '-schema-location',
    location,
    '-skip',
    foreignKinds.join(','),
  ];
  const { stdout, stderr } = spawnSync(program, [...flags, ...files], { encoding: 'utf8', maxBuffer: 2 ** 26 });
  const { resources = [], summary } = JSON.parse(stdout || '{}');
  if (summary === undefined) problems.push(`kubeconform: ${stderr}`);
  for (const { filename, kind, name, msg } of resources)
    problems.push(`kubeconform: ${filename}: ${kind} ${name}: ${msg}`);
  say(`kubeconform: ${JSON.stringify(summary)} over ${files.length} renders`);
  // Seen to refuse: a field that there is not.
  const broken = join(folder, 'broken.yaml');
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'broken' }, spec: { portz: [] } };
  writeFileSync(broken, JSON.stringify(service));
  if (spawnSync(program, [...flags, broken]).status === 0) problems.push('kubeconform takes a field that there is not');
  if (!(summary?.valid > 50)) problems.push('kubeconform checked next to nothing');
}

function score(program: string, file: string): void {
  const flags = ['score', '--kubernetes-version', 'v1.32', '--output-format', 'json', file];
  const { stdout, stderr } = spawnSync(program, flags, { encoding: 'utf8', maxBuffer: 2 ** 26 });
  const objects = JSON.parse(stdout || '[]') as ScoredObject[];
  if (objects.length === 0) problems.push(`kube-score: ${stderr}`);
  const checks = objects.flatMap(({ object_name, checks: list }) => list.map((check) => ({ object_name, ...check })));
  for (const { object_name, check, grade, skipped } of checks.filter((one) => !one.skipped && one.grade < 10)) {
    verdict(check.id, `kube-score: ${object_name}: ${check.name} (${grade}${skipped ? ', skipped' : ''})`);
  }
  say(`kube-score: ${checks.filter(({ skipped }) => !skipped).length} checks`);
}

interface ScoredObject {
  readonly object_name: string;
  readonly checks: readonly {
    readonly check: { readonly id: string; readonly name: string };
    readonly grade: number;
    readonly skipped: boolean;
  }[];
}

function checkov(file: string): void {
  const program = ensureCheckov(say);
  if (program === undefined) {
    problems.push('checkov could not be installed: it checked nothing');
    return;
  }
  const flags = ['--file', file, '--framework', 'kubernetes', '--skip-download', '--output', 'json', '--quiet'];
  const { stdout, stderr } = spawnSync(program, flags, { encoding: 'utf8', maxBuffer: 2 ** 26 });
  const { summary, results } = JSON.parse(stdout || '{}');
  if (!(summary?.passed > 0)) problems.push(`checkov: ${stderr}`);
  for (const { check_id, check_name, resource } of results?.failed_checks ?? []) {
    verdict(check_id, `checkov: ${check_id} ${check_name} (${resource})`);
  }
  say(`checkov: ${summary?.passed} passed, ${summary?.failed} failed`);
}

function verdict(id: string, words: string): void {
  used.add(id);
  if (!Object.hasOwn(accepted, id)) problems.push(words);
  else say(`accepted: ${words}: ${accepted[id]}`);
}
