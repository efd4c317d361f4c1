/** A watch on the events of a namespace, as a user's `kubectl get --watch` has it open. */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Agent, request } from 'undici';
import type { StoredEvent } from '../../src/api/stored-event.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { eventsPath } from './crd.ts';

export interface EventWatch {
  stop(): Promise<void>;
}

/** Tells every event that is added, or deleted, from now on; resolves when the watch is open. */
export async function watchEvents(
  controlPlane: ControlPlane,
  namespace: string,
  added: (event: StoredEvent) => void,
  deleted: (event: StoredEvent) => void = () => {},
): Promise<EventWatch> {
  const agent = new Agent({ connect: { ca: readFileSync(controlPlane.caPath) } });
  const stopping = new AbortController();
  const headers = { authorization: `Bearer ${controlPlane.adminToken}` };
  const list = await request(`${controlPlane.server}${eventsPath(namespace)}?limit=1`, { dispatcher: agent, headers });
  const { metadata } = (await list.body.json()) as { metadata: { resourceVersion: string } };
  const query = `watch=true&resourceVersion=${metadata.resourceVersion}`;
  const { body } = await request(`${controlPlane.server}${eventsPath(namespace)}?${query}`, {
    dispatcher: agent,
    headers,
    bodyTimeout: 0,
    signal: stopping.signal,
  });
  const reading = (async () => {
    for await (const line of createInterface({ input: body })) {
      const { type, object } = JSON.parse(line) as { type: string; object: StoredEvent };
      if (type === 'ADDED') added(object);
      else if (type === 'DELETED') deleted(object);
    }
  })().catch((error: unknown) => {
    if (!stopping.signal.aborted) throw error;
  });
  return {
    async stop() {
      stopping.abort();
      await reading;
      await agent.destroy();
    },
  };
}
