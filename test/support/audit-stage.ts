/** A control plane whose API server sends its audit log by the policy and the kubeconfig of examples/audit, to a relay. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { AuditRelay } from './audit-relay.ts';
import { CertificateAuthority } from './certificates.ts';
import { repositoryRoot } from './repository.ts';
import type { StageOptions } from './stage.ts';
import { Stage } from './stage.ts';

const examples = join(repositoryRoot, 'examples/audit');

/** What the API server shows. */
export const auditToken = 'invented-token-of-the-api-server';

export interface AuditStage {
  readonly stage: Stage;
  readonly relay: AuditRelay;
  /** Holds the token that the daemon is to accept. */
  readonly tokenFile: string;
  close(): Promise<void>;
}

/** The flags of examples/audit/kubeadm.yaml, but those that name files. */
export function documentedFlags(): string[] {
  const { apiServer } = parse(readFileSync(join(examples, 'kubeadm.yaml'), 'utf8'));
  const args = apiServer.extraArgs as { readonly name: string; readonly value: string }[];
  return args.filter(({ name }) => !name.endsWith('-file')).map(({ name, value }) => `--${name}=${value}`);
}

/** Starts it; the log also goes to a file beside. */
export async function openAuditStage({ apiServerFlags = [], ...options }: StageOptions): Promise<AuditStage> {
  const folder = mkdtempSync(join(tmpdir(), 'zen-watcher-audit-'));
  const ca = new CertificateAuthority();
  const alternativeNames = ['DNS:zen-watcher.zen-system.svc'];
  const relay = await AuditRelay.open(ca.issue({ commonName: 'zen-watcher', alternativeNames }));
  const [tokenFile, caFile] = [join(folder, 'token'), join(folder, 'ca.crt')];
  writeFileSync(tokenFile, auditToken);
  writeFileSync(caFile, ca.cert);
  // The example, but for the address and the places of the files.
  const kubeconfig = parse(readFileSync(join(examples, 'webhook-kubeconfig.yaml'), 'utf8'));
  const [{ cluster }, { user }] = [kubeconfig.clusters[0], kubeconfig.users[0]];
  cluster.server = cluster.server.replace('https://10.96.0.50:8081', relay.url);
  cluster['certificate-authority'] = caFile;
  user.tokenFile = tokenFile;
  const webhookConfig = join(folder, 'webhook-kubeconfig');
  writeFileSync(webhookConfig, JSON.stringify(kubeconfig));
  const files = [
    `--audit-policy-file=${join(examples, 'policy.yaml')}`,
    `--audit-webhook-config-file=${webhookConfig}`,
  ];
  const end = async () => {
    await relay.close();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const stage = await Stage.start({ crds: 'events', ...options, apiServerFlags: [...files, ...apiServerFlags] });
    return { stage, relay, tokenFile, close: () => stage.stop().finally(end) };
  } catch (error) {
    await end();
    throw error;
  }
}
