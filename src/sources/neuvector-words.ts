/** NeuVector's words for severities: those of syslog in notifications, ratings in the reports of scans. */
import type { SeverityWords } from './severity-words.ts';

export const neuvectorSource = 'neuvector';

export const neuvectorLevels: SeverityWords = {
  emergency: 'critical',
  alert: 'critical',
  critical: 'critical',
  error: 'high',
  warning: 'medium',
  notice: 'low',
  info: 'info',
  informational: 'info',
  debug: 'info',
};

export const neuvectorRatings: SeverityWords = { critical: 'critical', high: 'high', medium: 'medium', low: 'low' };
