/** Which Node the program runs on. Imports nothing: it has to load on the versions that it refuses. */

/** As in package.json: undici and client-node need it. */
export const oldestNode = '22.19';

/** What to say on a Node that is too old; undefined on others. */
export function tooOldMessage(running: string): string | undefined {
  const [major = 0, minor = 0] = running.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = oldestNode.split('.').map(Number);
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return undefined;
  return `zen-watcher: needs Node ${oldestNode} or newer, this is ${running}`;
}
