/** helm, as people run it: against a control plane, or only to render. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { ensureHelm } from '../chart/programs.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { repositoryRoot } from './repository.ts';

export const chartFolder = join(repositoryRoot, 'charts/zen-watcher');

/** The command of the README, as it stands there. */
export const exactInstall = [
  ...['install', 'zen-watcher', chartFolder, '--set', 'networkPolicy.enabled=true'],
  ...['--set', 'podSecurityStandards.enabled=true', '--set', 'image.verifySignature=true'],
];

/** A rendered object. */
export interface Rendered {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  // biome-ignore lint/suspicious/noExplicitAny: tests look at any field; a wrong one fails the test.
  readonly [field: string]: any;
}

export interface HelmResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class Helm {
  readonly #program: string;
  readonly #folder: string;
  readonly #kubeconfig: string;
  readonly #rendered = new Map<string, Promise<string>>();

  private constructor(program: string, folder: string, kubeconfig: string) {
    this.#program = program;
    this.#folder = folder;
    this.#kubeconfig = kubeconfig;
  }

  /** Without a control plane it can only render. */
  static async on(controlPlane?: ControlPlane): Promise<Helm> {
    const program = await ensureHelm((line) => process.stderr.write(`${line}\n`));
    const folder = mkdtempSync(join(tmpdir(), 'zen-watcher-helm-'));
    return new Helm(program, folder, controlPlane?.kubeconfigPath ?? join(folder, 'no-kubeconfig'));
  }

  /** Removes its caches. */
  stop(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Runs it to its end; a failure is a code. */
  run(args: readonly string[]): Promise<HelmResult> {
    const homes = ['CACHE', 'CONFIG', 'DATA'].map((word) => [`HELM_${word}_HOME`, join(this.#folder, word)]);
    const env = { ...process.env, KUBECONFIG: this.#kubeconfig, ...Object.fromEntries(homes) };
    return new Promise((resolve) => {
      execFile(this.#program, args, { env, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : 1, stdout, stderr });
      });
    });
  }

  /** Runs it and gives what it printed; a failure is an exception with its words. */
  async output(args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(args);
    if (code !== 0) throw new Error(`helm ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** `helm template` of the chart with values. */
  async text(values: unknown = {}, args: readonly string[] = []): Promise<string> {
    const file = join(this.#folder, `values-${Math.random()}.yaml`);
    writeFileSync(file, JSON.stringify(values));
    return this.output(['template', 'zen-watcher', chartFolder, '--values', file, ...args]);
  }

  /** The objects of it. The same is rendered once only. */
  async template(values: unknown = {}, args: readonly string[] = []): Promise<Rendered[]> {
    const key = JSON.stringify([values, args]);
    const text = this.#rendered.get(key) ?? this.text(values, args);
    this.#rendered.set(key, text);
    return objectsIn(await text);
  }
}

/** The objects of a text of YAML documents. */
export function objectsIn(text: string): Rendered[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as Rendered | null)
    .filter((object) => object !== null);
}
