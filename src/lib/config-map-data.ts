/** The reports that a ConfigMap holds: `data`, and `binaryData` where they are compressed or no UTF-8. */
import { gunzipSync } from 'node:zlib';
import { asFields, kindOf } from './fields.ts';
import { decodeText } from './json-documents.ts';

/** The text of one key, or why it cannot be had. */
export type ConfigMapText =
  | { readonly key: string; readonly text: string }
  | { readonly key: string; readonly problem: string; readonly isTooLarge: boolean };

/** Endings of keys that hold reports. Others do where their text begins like JSON. */
const reportEnding = /\.(?:json|sarif|ndjson|jsonl)(?:\.gz)?$/i;
const beginsLikeJson = /^\s*[{[]/;

/** Every key that holds a report. `maximumBytes`: of one text, once it is unpacked. */
export function* configMapTexts(document: unknown, maximumBytes: number): Generator<ConfigMapText> {
  const { data, binaryData } = asFields(document) ?? {};
  for (const [key, value] of Object.entries(asFields(data) ?? {})) {
    if (typeof value !== 'string') yield problem(key, `expected text, found ${kindOf(value)}`);
    else if (isReport(key, value)) yield { key, text: value.replace(/^\uFEFF/, '') };
  }
  for (const [key, value] of Object.entries(asFields(binaryData) ?? {})) {
    if (typeof value !== 'string') yield problem(key, `expected text in base64, found ${kindOf(value)}`);
    else yield* unpacked(key, Buffer.from(value, 'base64'), maximumBytes);
  }
}

function* unpacked(key: string, packed: Buffer, maximumBytes: number): Generator<ConfigMapText> {
  const isCompressed = packed[0] === 0x1f && packed[1] === 0x8b;
  let bytes = packed;
  try {
    if (isCompressed) bytes = gunzipSync(packed, { maxOutputLength: maximumBytes });
  } catch (error) {
    const isTooLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    yield problem(key, isTooLarge ? `is larger than ${maximumBytes} bytes` : 'is not valid gzip', isTooLarge);
    return;
  }
  const text = decodeText(bytes);
  if (isReport(key, text)) yield { key, text };
}

function isReport(key: string, text: string): boolean {
  return reportEnding.test(key) || beginsLikeJson.test(text);
}

function problem(key: string, words: string, isTooLarge = false): ConfigMapText {
  return { key, problem: words, isTooLarge };
}
