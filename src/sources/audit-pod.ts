/**
 * What a Pod, or a workload's template of one, may do to its node. First by what the PodSecurity admission says of it, which
 * the audit log has at every level; else by the object, where the policy records objects.
 */
import type { Fields } from '../lib/fields.ts';
import { asFields, asList, asText, at, textAt } from '../lib/fields.ts';
import type { AuditRequest } from './audit-request.ts';
import { isTruncated, writtenObject } from './audit-request.ts';

const violationsAnnotation = 'pod-security.kubernetes.io/audit-violations';

/** The object was too large for the audit log: nobody can say. */
export const notRecorded = 'not-recorded';

/** The capabilities that containers have anyway; the baseline of the Pod Security Standards lets them be named. */
const usualCapabilities: ReadonlySet<string> = new Set([
  ...['AUDIT_WRITE', 'CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'MKNOD', 'NET_BIND_SERVICE'],
  ...['SETFCAP', 'SETGID', 'SETPCAP', 'SETUID', 'SYS_CHROOT'],
]);

/** `privileged`, `host-network`, `host-pid`, `host-ipc`, `host-path`, `host-process`, `capability-SYS_ADMIN`, in order. */
export function privilegesOf(request: AuditRequest): readonly string[] {
  const violations = asText(at(request.event['annotations'], violationsAnnotation));
  if (violations !== undefined) return inOrder(fromViolations(violations));
  const object = writtenObject(request);
  if (object !== undefined) return inOrder(fromSpec(podSpecOf(object)));
  return isTruncated(request) ? [notRecorded] : [];
}

function inOrder(words: Iterable<string>): readonly string[] {
  return [...new Set(words)].sort();
}

/** Longer than what the admission writes about a Pod of a hundred containers. */
const longestViolations = 16_384;
/** What the admission writes, and the word for it. Names of containers and volumes cannot hold any of it. */
const violationWords: readonly (readonly [RegExp, string])[] = [
  [/(?:: |, )privileged \(/, 'privileged'],
  [/[( ]hostNetwork=true/, 'host-network'],
  [/[( ]hostPID=true/, 'host-pid'],
  [/[( ]hostIPC=true/, 'host-ipc'],
  [/(?:: |, )hostPath volumes \(|restricted volume types? (?:"[A-Za-z]+", )*"hostPath"/, 'host-path'],
  [/(?:: |, )hostProcess \(/, 'host-process'],
];
const addedCapabilities = /must not include ((?:"[A-Z_]{1,32}"(?:, )?){1,64})/g;

function fromViolations(text: string): string[] {
  const violations = text.slice(0, longestViolations);
  const words = violationWords.flatMap(([pattern, word]) => (pattern.test(violations) ? [word] : []));
  const named = [...violations.matchAll(addedCapabilities)].flatMap(([, list = '']) => list.match(/[A-Z_]+/g) ?? []);
  return [...words, ...capabilityWords(named)];
}

function capabilityWords(names: readonly unknown[]): string[] {
  return names.flatMap((name) => {
    const word = (asText(name) ?? '').toUpperCase().replace(/^CAP_/, '');
    if (word === '' || usualCapabilities.has(word)) return [];
    return [`capability-${/^[A-Z_]{1,32}$/.test(word) ? word : 'other'}`];
  });
}

/** The spec of a Pod, or that in the template of a workload. */
function podSpecOf(object: Fields): Fields | undefined {
  const template = ['template', 'spec'];
  const inSpec = at(object, 'spec', 'jobTemplate', 'spec', ...template) ?? at(object, 'spec', ...template);
  return asFields(inSpec ?? at(object, ...template) ?? at(object, 'spec'));
}

/** More containers, volumes and capabilities than any Pod has. */
const mostEntries = 512;

function fromSpec(spec: Fields | undefined): string[] {
  const words: string[] = [];
  if (at(spec, 'hostNetwork') === true) words.push('host-network');
  if (at(spec, 'hostPID') === true) words.push('host-pid');
  if (at(spec, 'hostIPC') === true) words.push('host-ipc');
  if (entries(spec, 'volumes').some((volume) => asFields(at(volume, 'hostPath')) !== undefined)) {
    words.push('host-path');
  }
  if (isHostProcess(spec)) words.push('host-process');
  for (const list of ['containers', 'initContainers', 'ephemeralContainers']) {
    for (const container of entries(spec, list)) {
      if (at(container, 'securityContext', 'privileged') === true) words.push('privileged');
      if (isHostProcess(container)) words.push('host-process');
      words.push(...capabilityWords(entries(at(container, 'securityContext', 'capabilities'), 'add')));
    }
  }
  return words;
}

function isHostProcess(of: unknown): boolean {
  return at(of, 'securityContext', 'windowsOptions', 'hostProcess') === true;
}

function entries(of: unknown, list: string): readonly unknown[] {
  return asList(at(of, list))?.slice(0, mostEntries) ?? [];
}

/** The controller that a Pod is of, by the Pod itself: its own name may be made up by the server only. */
export interface PodController {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly podTemplateHash: string | undefined;
}

/** Who made the Pod that was written. A mirror of a static Pod is its own. */
export function controllerOf(pod: Fields | undefined): PodController | undefined {
  const owner = asList(at(pod, 'metadata', 'ownerReferences'))?.find((one) => at(one, 'controller') === true);
  const apiVersion = textAt(owner, 'apiVersion');
  const kind = textAt(owner, 'kind');
  const name = textAt(owner, 'name');
  if (apiVersion === undefined || kind === undefined || name === undefined || kind === 'Node') return undefined;
  return { apiVersion, kind, name, podTemplateHash: textAt(pod, 'metadata', 'labels', 'pod-template-hash') };
}
