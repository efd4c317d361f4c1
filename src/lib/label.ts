import { shortHash } from './hash.ts';

const valid = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

/**
 * A valid Kubernetes label value for any text: what is not allowed becomes `-`, and a changed or cut value ends in a hash
 * of the whole text, so that two different texts never share a label. The exact word stays in spec.
 */
export function labelValue(text: string): string {
  if (text === '' || valid.test(text)) return text;
  const readable = text
    .slice(0, 54)
    .replace(/[^-A-Za-z0-9_.]/g, '-')
    .replace(/^[-_.]+|[-_.]+$/g, '');
  const tail = shortHash(text).slice(0, 8);
  return readable === '' ? tail : `${readable}-${tail}`;
}
