import { clean } from '../lib/text.ts';

/** Longer than any image may be called. */
const longestName = 1024;

/** `registry/repository` of an image: without tag and digest, which change with every build. */
export function repositoryOf(image: string): string {
  // Masked before it is taken apart: the parts of a credential are not known for what they are.
  const [name = ''] = clean(image.slice(0, longestName)).trim().split('@', 1);
  // A colon before the last slash belongs to the registry's port.
  const colon = name.indexOf(':', name.lastIndexOf('/') + 1);
  return colon === -1 ? name : name.slice(0, colon);
}
