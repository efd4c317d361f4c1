/** What test/cluster/go.mod says about versions. It is the only place that names them. */
import { createHash } from 'node:crypto';

export interface Versions {
  /** The Go release the module asks for, such as `1.26.0`. */
  readonly go: string;
  /** The Kubernetes release, such as `v1.36.3`. */
  readonly kubernetes: string;
  /** The etcd release, such as `v3.6.8`. */
  readonly etcd: string;
}

/** Reads the versions out of the text of a go.mod. */
export function parseVersions(goMod: string): Versions {
  return {
    go: only(goMod, /^go (\d+(?:\.\d+)*)\s*$/m, 'go'),
    kubernetes: required(goMod, 'k8s.io/kubernetes'),
    etcd: required(goMod, 'go.etcd.io/etcd/server/v3'),
  };
}

/** The name of the cache folder: other versions, other dependencies or another platform get another folder. */
export function cacheKey(goMod: string, goSum: string, platform: string): string {
  const { kubernetes, etcd } = parseVersions(goMod);
  const hash = createHash('sha256').update(goMod).update('\0').update(goSum).digest('hex').slice(0, 10);
  return `kubernetes-${kubernetes}-etcd-${etcd}-${platform}-${hash}`;
}

/** Whether a Go release (`go1.26.8`, `1.26rc1`) is at least the one asked for. */
export function isAtLeast(release: string, wanted: string): boolean {
  const [have, need] = [numbers(release), numbers(wanted)];
  for (const [index, part] of need.entries()) {
    const difference = (have[index] ?? 0) - part;
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** Whether kubectl of one release may talk to a server of another: within one minor version either way. */
export function isWithinOneMinor(client: string, server: string): boolean {
  const [a, b] = [numbers(client), numbers(server)];
  return a[0] === b[0] && Math.abs((a[1] ?? 0) - (b[1] ?? 0)) <= 1;
}

function numbers(version: string): number[] {
  const match = /\d+(?:\.\d+)*/.exec(version);
  return match ? match[0].split('.').map(Number) : [];
}

function required(goMod: string, module: string): string {
  const escaped = module.replaceAll('.', '\\.');
  return only(goMod, new RegExp(`^(?:require)?\\s+${escaped} (v[\\w.+-]+)`, 'm'), module);
}

function only(goMod: string, pattern: RegExp, what: string): string {
  const found = pattern.exec(goMod)?.[1];
  if (!found) throw new Error(`go.mod does not say which version of ${what} it wants`);
  return found;
}
