/** NeuVector: what it notifies of by webhook, and the reports of its scans. docs/sources/neuvector.md. */
import { neuvectorNotification } from './neuvector-notification.ts';
import { neuvectorScan } from './neuvector-scan.ts';
import { neuvectorLevels, neuvectorRatings } from './neuvector-words.ts';
import type { Source } from './source.ts';

export const neuvector: Source = {
  name: 'neuvector',
  title: 'NeuVector',
  homepage: 'https://open-docs.neuvector.com',
  emits: ['neuvector'],
  eventTypes: [
    { eventType: 'runtime-threat', category: 'security', nature: 'signal' },
    { eventType: 'vulnerability', category: 'security' },
  ],
  severityWords: { ...neuvectorLevels, ...neuvectorRatings },
  needsPods: true,
  intakes: [],
  formats: [neuvectorNotification, neuvectorScan],
  graceSeconds: 2 * 60 * 60,
};
