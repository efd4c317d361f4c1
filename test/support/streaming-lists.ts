/** What the control plane of this run can do: `npm run test:compat` runs the same tests on an older one. */
import type { Rest } from './rest.ts';

/** Whether it answers a list as a stream (Kubernetes 1.34 and later); where not, there are lists by pages beside the watches. */
export async function streamsLists(rest: Rest): Promise<boolean> {
  const stream = 'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
  const { code } = await rest.send('GET', `/api/v1/namespaces?${stream}&timeoutSeconds=1`);
  if (code === 200 || code === 422) return code === 200;
  throw new Error(`asked for a list as a stream, the API server answers ${code}`);
}
