/** Doctor: the events that are there, whose they are, and how much of the budget they take. */
import { group, plural, version } from '../api/event.ts';
import type { StoredEvent } from '../api/stored-event.ts';
import type { Config } from '../config/schema.ts';
import type { KubeClient } from '../kube/client.ts';
import { PagedList } from '../kube/paged-list.ts';
import { isOwn } from '../pipeline/own-events.ts';
import type { Check } from './doctor-check.ts';

/** What checkEvents looks at. */
export const eventChecks = ['budget', 'freshness', 'foreign'];

const nearlyFull = 0.9;

/** Looks at every event. Throws KubeError. */
export async function checkEvents(client: KubeClient, config: Config): Promise<Check[]> {
  const { namespace, placement } = config.events;
  const foreign: string[] = [];
  let own = 0;
  let active = 0;
  let stale = 0;
  let folded = 0;
  const collection = { group, version, resource: plural, ...(placement === 'central' ? { namespace } : {}) };
  const list = new PagedList({ client, collection, shape: 'full' });
  for await (const { items } of list.pages(new AbortController().signal)) {
    for (const event of items as unknown as readonly StoredEvent[]) {
      if (!isOwn(event)) {
        foreign.push(`${event.metadata.namespace}/${event.metadata.name}`);
        continue;
      }
      own += 1;
      if (event.status?.phase !== 'Active') continue;
      active += 1;
      if (event.spec.eventType === 'findings-folded') folded += event.status.count ?? 0;
      if (event.status.conditions?.some(({ type, status }) => type === 'Fresh' && status === 'False')) stale += 1;
    }
  }
  return [
    budgetCheck({ own, active, folded, limit: config.budget.events }),
    staleCheck(stale, active),
    foreign.length === 0
      ? { name: 'foreign', status: 'ok', says: 'all events are ours' }
      : {
          name: 'foreign',
          status: 'warn',
          says: `${foreign.length} events are not ours: of an older version, or made by hand; they are left alone`,
          details: foreign,
          fix: 'delete them when nobody needs them any more',
        },
  ];
}

interface BudgetUse {
  readonly own: number;
  readonly active: number;
  readonly folded: number;
  readonly limit: number;
}

function budgetCheck({ own, active, folded, limit }: BudgetUse): Check {
  const percent = Math.round((100 * own) / limit);
  const says = `${own} of ${limit} events (${percent} %), ${active} Active${folded > 0 ? `; ${folded} findings are counted in summaries only` : ''}`;
  const isFull = own >= limit * nearlyFull || folded > 0;
  if (!isFull) return { name: 'budget', status: 'ok', says };
  return {
    name: 'budget',
    status: 'warn',
    says,
    fix: 'raise thresholds, add filters, or raise budget.events (docs/budget.md)',
  };
}

function staleCheck(stale: number, active: number): Check {
  if (stale === 0) return { name: 'freshness', status: 'ok', says: 'a report stands behind every Active event' };
  return {
    name: 'freshness',
    status: 'warn',
    says: `${stale} of ${active} Active events are reported by nobody any more (condition Fresh=False)`,
    fix: 'see whether the tool still runs; they end as unverified by themselves (docs/lifecycle.md)',
  };
}
