/** Which version of which object a line of a watch is about, read from its bytes: most lines about our own events are echoes. */
import { apiVersion, kind } from '../api/event.ts';
import { membersAt, plainTextAt } from '../lib/json-slices.ts';

/** What a line is about. */
export interface ObjectHead {
  readonly namespace: string;
  readonly name: string;
  readonly resourceVersion: string;
}

const added = Buffer.from('{"type":"ADDED","object":{');
const modified = Buffer.from('{"type":"MODIFIED","object":{');
const spec = Buffer.from('"spec":{');
/** The last members of metadata, which the API server writes in alphabetical order, just before spec. */
const endOfMetadata =
  /"name":"([a-z0-9.-]{1,253})","namespace":"([a-z0-9-]{1,63})","resourceVersion":"([1-9]\d{0,14})","uid":"[0-9a-f-]{36}"\},$/;
const longestEnd = 512;

/**
 * Undefined where the line does not begin and go on just as the API server writes it: it is to be parsed then. In metadata no
 * member `spec` with an object can stand (values of annotations and labels are text, whose quotes are escaped; managed fields
 * are called `f:spec`), so the first one is the object's own, and what stands before it the end of its metadata.
 */
export function objectHead(line: Buffer): ObjectHead | undefined {
  return startsWith(line, added) || startsWith(line, modified) ? headBeforeSpec(line) : undefined;
}

const ownStart = Buffer.from(`{"apiVersion":"${apiVersion}","kind":"${kind}","metadata":{`);

/** The same of an event of ours that the API server answers with. */
export function eventHead(answer: Buffer): ObjectHead | undefined {
  return startsWith(answer, ownStart) ? headBeforeSpec(answer) : undefined;
}

function headBeforeSpec(line: Buffer): ObjectHead | undefined {
  const at = line.indexOf(spec);
  if (at === -1) return undefined;
  const [, name, namespace, resourceVersion] =
    endOfMetadata.exec(line.toString('latin1', Math.max(0, at - longestEnd), at)) ?? [];
  if (name === undefined || namespace === undefined || resourceVersion === undefined) return undefined;
  return { namespace, name, resourceVersion };
}

function startsWith(line: Buffer, head: Buffer): boolean {
  return line.length > head.length && line.compare(head, 0, head.length, 0, head.length) === 0;
}

/** A watch line of which only the head was read. */
export interface GlancedLine {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly head: ObjectHead;
  /** Where the object begins in the line. */
  readonly start: number;
}

/** The head of a watch line, in whatever order its members stand; undefined where it has to be parsed. */
export function glanceAtLine(line: Buffer): GlancedLine | undefined {
  const [typeAt = -1, objectAt = -1] = membersAt(line, 0, ['type', 'object']) ?? [];
  const type = plainTextAt(line, typeAt);
  if (type !== 'ADDED' && type !== 'MODIFIED' && type !== 'DELETED') return undefined;
  const head = glanceAtObject(line, objectAt);
  return head === undefined ? undefined : { type, head, start: objectAt };
}

/** The head of the object that begins there; undefined where it has to be parsed. One without a namespace has to be. */
export function glanceAtObject(bytes: Buffer, start: number): ObjectHead | undefined {
  const [metadataAt = -1] = membersAt(bytes, start, ['metadata']) ?? [];
  const [namespaceAt = -1, nameAt = -1, versionAt = -1] =
    membersAt(bytes, metadataAt, ['namespace', 'name', 'resourceVersion']) ?? [];
  const namespace = plainTextAt(bytes, namespaceAt);
  const name = plainTextAt(bytes, nameAt);
  const resourceVersion = plainTextAt(bytes, versionAt);
  if (namespace === undefined || name === undefined || resourceVersion === undefined) return undefined;
  return namespace === '' || name === '' || resourceVersion === '' ? undefined : { namespace, name, resourceVersion };
}
