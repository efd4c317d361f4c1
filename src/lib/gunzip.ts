import { gunzipSync } from 'node:zlib';

/** Unpacks gzip up to so many bytes; undefined for what is no gzip, or becomes larger. */
export function gunzipWithin(bytes: Uint8Array, maximumBytes: number): Buffer | undefined {
  try {
    return gunzipSync(bytes, { maxOutputLength: maximumBytes });
  } catch {
    return undefined;
  }
}

/** Whether the bytes begin as gzip does. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}
