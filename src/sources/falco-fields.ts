/** The fields of a Falco alert, from wherever its configuration left them: `output_fields`, else the text. */
import { asFields, asText, at } from '../lib/fields.ts';
import type { RawDocument } from './source.ts';

/** The value of a field by Falco's name for it; undefined where the alert does not have it. */
export type FalcoFields = (name: string) => string | undefined;

/** What Falco writes where a field has no value. */
const notAvailable = '<NA>';

/** One of these in output_fields, and the text knows no better whose process it was. */
const saysWhere = ['container.id', 'container.name', 'k8s.pod.name', 'k8s.ns.name', 'ka.verb', 'ka.target.resource'];

/** How rules and `-p` options name fields in the text of an alert. */
const namesInText: Readonly<Record<string, readonly string[]>> = {
  'container.id': ['container_id', 'container.id'],
  'container.name': ['container_name', 'container.name'],
  'container.image.repository': ['container_image_repository', 'container_image', 'image'],
  'container.image.tag': ['container_image_tag'],
  'fd.name': ['file', 'fd.name'],
  'k8s.ns.name': ['k8s_ns', 'k8s_ns_name', 'k8s.ns', 'k8s.ns.name'],
  'k8s.pod.name': ['k8s_pod', 'k8s_pod_name', 'k8s.pod', 'k8s.pod.name'],
  'ka.target.name': ['ka_target_name'],
  'proc.exepath': ['proc_exepath', 'exepath'],
  'proc.name': ['process', 'proc_name', 'proc.name', 'shell'],
  'proc.pname': ['parent', 'proc_pname', 'proc.pname'],
  'user.name': ['user', 'user_name', 'user.name'],
};

/**
 * Reads the fields of an alert. The text is looked at only where output_fields says nothing of a container or Pod: a
 * command line in it may hold anything, also `k8s_ns=somewhere-else`.
 */
export function falcoFields(alert: RawDocument): FalcoFields {
  const fields = asFields(alert['output_fields']) ?? {};
  const isTextNeeded = !saysWhere.some((name) => Object.hasOwn(fields, name));
  let said: ReadonlyMap<string, string> | undefined;
  return (name) => {
    const stated = present(asText(at(fields, name)));
    if (stated !== undefined || !isTextNeeded) return stated;
    said ??= saidIn(asText(alert['output']) ?? '');
    for (const alias of namesInText[name] ?? []) {
      const value = said.get(alias);
      if (value !== undefined) return value;
    }
    return undefined;
  };
}

function present(value: string | undefined): string | undefined {
  return value === notAvailable ? undefined : value;
}

/** Falco appends what `-p` asks for: the end of the text is what tells where it happened. */
const longestText = 4096;

/** A key begins behind a blank, a bracket or a bar; each place is looked at once. */
const keys = /(?:^|[\s(|])([A-Za-z][\w.[\]]{0,63})=/g;

/**
 * `key=value` in the text of an alert, be it in brackets or behind a bar. A value goes on to the next key, so it may
 * have blanks. Of a key that is there twice the last one counts: the earlier one may be part of a command line.
 */
function saidIn(text: string): ReadonlyMap<string, string> {
  const tail = text.slice(-longestText);
  const found = [...tail.matchAll(keys)];
  const said = new Map<string, string>();
  for (const [index, match] of found.entries()) {
    const [whole, key = ''] = match;
    const end = found[index + 1]?.index ?? tail.length;
    const value = tail
      .slice(match.index + whole.length, end)
      .trim()
      .replace(/\)$/, '')
      .trim();
    if (value !== '' && value !== notAvailable) said.set(key, value);
  }
  return said;
}
