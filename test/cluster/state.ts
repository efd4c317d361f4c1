/** What is known about a control plane that was started. */
import type { Binaries } from './binaries.ts';
import type { Ports } from './flags.ts';

/** In the order in which they start; they stop in the opposite order. */
export const components = ['etcd', 'kube-apiserver', 'kube-controller-manager'] as const;
export type Component = (typeof components)[number];

/** All there is to know about a control plane, as JSON: another process can attach to it. */
export interface ControlPlaneState {
  readonly kubeconfigPath: string;
  readonly server: string;
  readonly caPath: string;
  readonly adminToken: string;
  readonly restrictedToken: string;
  readonly folder: string;
  readonly binaries: Binaries;
  readonly ports: Ports;
  readonly auditLogPath?: string;
  /** The command line of each component that runs here, the program first. */
  readonly commands: Readonly<Partial<Record<Component, readonly string[]>>>;
}
