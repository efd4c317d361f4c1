/** When a component can be used. */
import { existsSync, readFileSync } from 'node:fs';
import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeKubeconfig } from './flags.ts';
import { lastLines } from './processes.ts';
import type { Component, ControlPlaneState } from './state.ts';

/** Generous: the machine may be busy, and a component that dies is noticed at once anyway. */
const limitSeconds = 120;

export interface Watched {
  readonly logPath: string;
  readonly isRunning: () => boolean;
}

/** Waits until a component that was just started answers; throws with its last words when it ended instead. */
export async function waitUntilReady(component: Component, state: ControlPlaneState, watched: Watched): Promise<void> {
  const check = { etcd: isEtcdReady, 'kube-apiserver': isApiServerReady, 'kube-controller-manager': isManagerReady };
  for (const end = Date.now() + limitSeconds * 1000; Date.now() < end; await sleep(100)) {
    if (!watched.isRunning()) throw new Error(`${component} ended at start:\n${lastLines(watched.logPath)}`);
    if (await check[component](state)) return;
  }
  throw new Error(`${component} is not ready after ${limitSeconds} s:\n${lastLines(watched.logPath)}`);
}

/** Whether a start failed because of a port that somebody else has. */
export function isPortTaken(error: unknown): boolean {
  return error instanceof Error && /address already in use|failed to create listener/.test(error.message);
}

async function isEtcdReady({ ports }: ControlPlaneState): Promise<boolean> {
  return (await status(`http://127.0.0.1:${ports.etcd}/health`)) === 200;
}

async function isApiServerReady(state: ControlPlaneState): Promise<boolean> {
  const { folder, server, caPath, adminToken } = state;
  if (!existsSync(caPath)) return false;
  const client = { ca: readFileSync(caPath), headers: { authorization: `Bearer ${adminToken}` } };
  if ((await status(`${server}/readyz`, client)) !== 200) return false;
  // Ready does not mean that the first namespace exists, and nearly every test writes into it.
  if ((await status(`${server}/api/v1/namespaces/default`, client)) !== 200) return false;
  if (!existsSync(state.kubeconfigPath)) writeKubeconfig(folder, server, adminToken);
  return true;
}

async function isManagerReady({ ports }: ControlPlaneState): Promise<boolean> {
  // Its certificate is its own and never used again: nothing secret goes over this connection.
  return (await status(`https://127.0.0.1:${ports.controllerManager}/healthz`, { rejectUnauthorized: false })) === 200;
}

interface ClientOptions {
  readonly ca?: Buffer;
  readonly headers?: Record<string, string>;
  readonly rejectUnauthorized?: boolean;
}

/** The status of a GET; undefined when there was no answer. */
function status(url: string, options: ClientOptions = {}): Promise<number | undefined> {
  return new Promise((resolve) => {
    const send = url.startsWith('https:') ? tlsRequest : plainRequest;
    const request = send(url, { ...options, agent: false, timeout: 5000 }, (response) => {
      response.resume().on('error', () => {});
      resolve(response.statusCode);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(undefined));
    request.end();
  });
}
