/** Whether a write failed because whoever read our output has gone (`zen-watcher … | head`), not for want of room. */
export function isBrokenPipe(error: Error): boolean {
  const code = 'code' in error ? error.code : undefined;
  return code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED';
}
