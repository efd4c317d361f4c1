/** What an operator does to an etcd that ran full, by its own HTTP gateway: etcdctl is not built here. */
import { request } from 'undici';
import type { ControlPlane } from '../cluster/control-plane.ts';

/** Forgets the past, gives the space back and takes the alarm off: `etcdctl compact`, `defrag`, `alarm disarm`. */
export async function makeRoom(controlPlane: ControlPlane): Promise<void> {
  const { header } = await ask(controlPlane, '/v3/kv/range', { key: Buffer.from('x').toString('base64') });
  await ask(controlPlane, '/v3/kv/compaction', { revision: header?.revision, physical: true });
  await ask(controlPlane, '/v3/maintenance/defragment', {});
  const { alarms = [] } = await ask(controlPlane, '/v3/maintenance/alarm', { action: 'GET' });
  for (const { memberID, alarm } of alarms) {
    await ask(controlPlane, '/v3/maintenance/alarm', { action: 'DEACTIVATE', memberID, alarm });
  }
}

interface Answer {
  readonly header?: { readonly revision: string };
  readonly alarms?: readonly { readonly memberID: string; readonly alarm: string }[];
}

async function ask({ state }: ControlPlane, path: string, body: unknown): Promise<Answer> {
  const url = `http://127.0.0.1:${state.ports.etcd}${path}`;
  const answer = await request(url, { method: 'POST', body: JSON.stringify(body) });
  const text = await answer.body.text();
  if (answer.statusCode !== 200) throw new Error(`${path}: ${answer.statusCode} ${text}`);
  return JSON.parse(text) as Answer;
}
