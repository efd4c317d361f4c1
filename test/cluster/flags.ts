/** The command lines of the three components, and the files they read. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { group, plural } from '../../src/api/event.ts';

export interface Ports {
  readonly etcd: number;
  readonly etcdPeer: number;
  readonly apiServer: number;
  readonly controllerManager: number;
}

export interface Tokens {
  /** In system:masters. */
  readonly admin: string;
  /** Of the user zen-test, who may do nothing. */
  readonly restricted: string;
}

/** The files of a control plane, all inside its folder. */
export function layout(folder: string) {
  return {
    certificates: join(folder, 'certificates'),
    /** The server's certificate signs itself, so it is also what clients trust. */
    ca: join(folder, 'certificates', 'apiserver.crt'),
    kubeconfig: join(folder, 'kubeconfig'),
    tokens: join(folder, 'tokens.csv'),
    privateKey: join(folder, 'service-accounts.key'),
    publicKey: join(folder, 'service-accounts.pub'),
    auditPolicy: join(folder, 'audit-policy.yaml'),
    auditLog: join(folder, 'audit.jsonl'),
  };
}

/** etcd on loopback. Not synced to disk: what a crash of the machine would lose is disposable. */
export function etcdFlags(folder: string, ports: Ports): string[] {
  const client = `http://127.0.0.1:${ports.etcd}`;
  const peer = `http://127.0.0.1:${ports.etcdPeer}`;
  return [
    '--name=default',
    `--data-dir=${join(folder, 'etcd')}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    '--unsafe-no-fsync',
    // A few rescans of large reports pass the 2 GiB of the default, after which every write fails.
    '--quota-backend-bytes=8589934592',
    '--log-level=warn',
  ];
}

/** kube-apiserver as clusters run it: RBAC, the default admission plugins, signed service-account tokens. */
export function apiServerFlags(folder: string, ports: Ports, auditLog: boolean): string[] {
  const files = layout(folder);
  return [
    `--etcd-servers=http://127.0.0.1:${ports.etcd}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${ports.apiServer}`,
    // With a loopback address here there would be no EndpointSlice of the service `kubernetes`.
    '--advertise-address=192.0.2.10',
    `--cert-dir=${files.certificates}`,
    `--token-auth-file=${files.tokens}`,
    '--authorization-mode=RBAC,Node',
    '--enable-admission-plugins=ServiceAccount',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${files.publicKey}`,
    `--service-account-signing-key-file=${files.privateKey}`,
    '--service-cluster-ip-range=10.0.0.0/24',
    '--allow-privileged=true',
    ...(auditLog ? auditFlags(folder) : []),
  ];
}

/** Every request, who changed what in an event with the event as it was then stored; blocking, so that a request that was answered is in the log. */
function auditFlags(folder: string): string[] {
  const files = layout(folder);
  return [
    `--audit-policy-file=${files.auditPolicy}`,
    `--audit-log-path=${files.auditLog}`,
    '--audit-log-mode=blocking',
    // The default of 100 MB would move entries into another file under a test that reads this one.
    '--audit-log-maxsize=2000',
  ];
}

/** kube-controller-manager with all its controllers. */
export function controllerManagerFlags(folder: string, ports: Ports): string[] {
  const files = layout(folder);
  return [
    `--kubeconfig=${files.kubeconfig}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${ports.controllerManager}`,
    `--cert-dir=${join(folder, 'controller-manager')}`,
    '--leader-elect=false',
    `--service-account-private-key-file=${files.privateKey}`,
    `--root-ca-file=${files.ca}`,
    '--use-service-account-credentials=true',
  ];
}

/** Writes what the flags above refer to and returns the two tokens. */
export function writeFiles(folder: string): Tokens {
  const files = layout(folder);
  mkdirSync(files.certificates, { recursive: true });
  const tokens = { admin: randomBytes(24).toString('hex'), restricted: randomBytes(24).toString('hex') };
  writePrivate(files.tokens, `${tokens.admin},admin,admin,"system:masters"\n${tokens.restricted},zen-test,zen-test\n`);
  const keys = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  writePrivate(files.privateKey, keys.privateKey);
  writePrivate(files.publicKey, keys.publicKey);
  const policy = {
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    omitManagedFields: true,
    rules: [
      {
        level: 'RequestResponse',
        verbs: ['create', 'update', 'patch'],
        resources: [{ group, resources: [plural, `${plural}/status`] }],
      },
      { level: 'Metadata' },
    ],
  };
  writePrivate(files.auditPolicy, JSON.stringify(policy));
  return tokens;
}

/** Writes the admin's kubeconfig; possible once the API server has made its certificate. */
export function writeKubeconfig(folder: string, server: string, token: string): void {
  const files = layout(folder);
  const name = 'zen-watcher-test';
  const ca = readFileSync(files.ca).toString('base64');
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, 'certificate-authority-data': ca } }],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  };
  writePrivate(files.kubeconfig, `${JSON.stringify(kubeconfig, undefined, 2)}\n`);
}

function writePrivate(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
}
