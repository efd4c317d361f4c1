/** Doctor: the API server, its clock, and what it serves. */
import type { KubeClient } from '../kube/client.ts';
import type { Discovered } from '../kube/discovery.ts';
import { discover } from '../kube/discovery.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/error-message.ts';
import { textAt } from '../lib/fields.ts';
import { parseRecord } from '../lib/json.ts';
import type { Check } from './doctor-check.ts';

/** The oldest minor version of Kubernetes that is supported. */
const oldestMinor = 32;
/** Tokens and certificates stop working when clocks differ; `Date` is exact to a second. */
const tolerableSkewMs = 5_000;

/** What the server said, and what it serves; undefined when it cannot be asked. */
export interface ServerFindings {
  readonly checks: readonly Check[];
  readonly discovered: Discovered | undefined;
}

/** Asks for the version and for everything that is served. */
export async function checkServer(client: KubeClient, clock: Clock): Promise<ServerFindings> {
  const startMs = clock.monotonicMs();
  try {
    const answer = await client.request({ method: 'GET', path: '/version', verb: 'get', resource: 'version' });
    const tookMs = Math.round(clock.monotonicMs() - startMs);
    const body = parseRecord(answer.body);
    const discovered = await discover(client);
    return {
      checks: [
        versionCheck(textAt(body, 'gitVersion') ?? '', textAt(body, 'minor') ?? '', tookMs),
        clockCheck(answer.headers['date'], clock.now()),
      ],
      discovered,
    };
  } catch (error) {
    const fix = 'look at the address and the credentials of the kubeconfig, and at network policies';
    return {
      checks: [{ name: 'server', status: 'fail', says: `cannot be asked: ${messageOf(error)}`, fix }],
      discovered: undefined,
    };
  }
}

function versionCheck(gitVersion: string, minor: string, tookMs: number): Check {
  const says = `Kubernetes ${gitVersion.replace(/^v/, '')}, answers in ${tookMs} ms`;
  const isOld = Number.parseInt(minor, 10) < oldestMinor;
  if (!isOld) return { name: 'server', status: 'ok', says };
  return { name: 'server', status: 'warn', says, fix: `1.${oldestMinor} is the oldest that is tested` };
}

function clockCheck(date: string | readonly string[] | undefined, now: Date): Check {
  const serverMs = Date.parse(typeof date === 'string' ? date : '');
  if (Number.isNaN(serverMs)) return { name: 'clock', status: 'skip', says: 'the server does not say its time' };
  const skewMs = now.getTime() - serverMs;
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  if (Math.abs(skewMs) <= tolerableSkewMs) return { name: 'clock', status: 'ok', says: 'agrees with the server' };
  return {
    name: 'clock',
    status: 'warn',
    says: `is ${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} the server`,
    fix: 'synchronise the clocks: tokens and certificates are refused when they differ too much',
  };
}
