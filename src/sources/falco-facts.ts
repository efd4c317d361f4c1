/** Of the files, connections and programs in an alert what stays the same when the same thing happens again. */

/** Longer than paths of files that anybody keeps. */
const longestFact = 512;

/** Names below these are made up anew by every process that writes there. */
const temporaryFolder = /^\/(?:tmp|var\/tmp|dev\/shm|run\/user\/\d{1,10})\//;

/** Process ids, uids of Pods and volumes, ids of containers and layers. */
const changingParts: readonly (readonly [RegExp, string])[] = [
  [/^\/proc\/\d{1,10}(?=\/|$)/, '/proc/*'],
  [/\/task\/\d{1,10}(?=\/|$)/g, '/task/*'],
  [/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi, '*'],
  [/(?<![0-9a-z])[0-9a-f]{12,64}(?![0-9a-z])/gi, '*'],
];

/** `10.0.0.7:51234->198.51.100.3:443`: client, then server. */
const connection = /^[\da-fA-F.:]{2,45}:\d{1,5}->([\da-fA-F.:]{2,45}):(\d{1,5})$/;
/** Addresses that Pods and nodes are given anew. */
const privateAddress =
  /^(?:::ffff:)?(?:10\.|127\.|169\.254\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)|^(?:::1$|f[cd]|fe80:)/i;

/**
 * A file without what is random in its path, or the far end of a connection: its port, and its address where that is a
 * public one.
 */
export function stableTarget(name: string): string {
  const bounded = name.slice(0, longestFact);
  const [, server, port] = connection.exec(bounded) ?? [];
  if (server !== undefined) return `${privateAddress.test(server) ? 'private' : server}:${port}`;
  return stablePath(bounded);
}

/** A path without what is random in it. */
export function stablePath(path: string): string {
  const bounded = path.slice(0, longestFact);
  const folder = temporaryFolder.exec(bounded)?.[0];
  if (folder !== undefined) return `${folder.replace(/\d+\/$/, '*/')}*`;
  return changingParts.reduce((text, [part, replacement]) => text.replace(part, replacement), bounded);
}
