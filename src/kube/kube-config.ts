/** Finds and reads the kubeconfig as kubectl does, with what the client library leaves out. */
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import type { User } from '@kubernetes/client-node';
import { KubeConfig } from '@kubernetes/client-node';
import { parse } from 'yaml';

export interface KubeConfigOptions {
  /** Instead of the usual places. */
  readonly file?: string | undefined;
  readonly context?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * From the file given, else those of $KUBECONFIG, else ~/.kube/config, else the service account of the Pod. Throws with
 * words for the user when there is none, or it has no such context.
 */
export function loadKubeConfig({ file, context, environment }: KubeConfigOptions): KubeConfig {
  const kubeConfig = new KubeConfig();
  const files = file === undefined ? usualFiles(environment) : [file];
  for (const each of files) kubeConfig.mergeConfig(fromFile(each), kubeConfig.currentContext !== undefined);
  if (files.length === 0) {
    if (!environment['KUBERNETES_SERVICE_HOST']) {
      throw new Error('there is no kubeconfig: use --kubeconfig or $KUBECONFIG, or run in a cluster');
    }
    kubeConfig.loadFromCluster();
  }
  if (context !== undefined) {
    if (kubeConfig.getContextObject(context) === null) throw new Error(`the kubeconfig has no context ${context}`);
    kubeConfig.setCurrentContext(context);
  }
  return kubeConfig;
}

function usualFiles(environment: KubeConfigOptions['environment']): string[] {
  const named = (environment['KUBECONFIG'] ?? '').split(delimiter).filter((each) => each !== '' && existsSync(each));
  if (named.length > 0 || environment['KUBECONFIG']) return named;
  const own = join(environment['HOME'] ?? '', '.kube', 'config');
  return existsSync(own) ? [own] : [];
}

function fromFile(file: string): KubeConfig {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromFile(file);
  const tokenFiles = tokenFilesOf(file);
  kubeConfig.users = kubeConfig.users.map((user): User => {
    const tokenFile = tokenFiles.get(user.name);
    if (tokenFile === undefined) return user;
    const { token, ...rest } = user;
    return { ...rest, authProvider: { name: 'tokenFile', config: { tokenFile } } };
  });
  return kubeConfig;
}

/** The library does not know `tokenFile` of a kubeconfig's user: it would ask anonymously. In kubectl it wins over `token`. */
function tokenFilesOf(file: string): Map<string, string> {
  const document = parse(readFileSync(file, 'utf8')) as {
    users?: readonly { name?: unknown; user?: { tokenFile?: unknown } | null }[];
  } | null;
  const found = new Map<string, string>();
  for (const { name, user } of document?.users ?? []) {
    const tokenFile = user?.tokenFile;
    if (typeof name === 'string' && typeof tokenFile === 'string') found.set(name, resolve(dirname(file), tokenFile));
  }
  return found;
}
