/** What follows from the formats and the webhook of a source. */
import type { Acknowledgement, Source } from './source.ts';

/** The paths on which the source can be sent something; none where it reads no bodies. */
export function webhookPaths({ name, webhook, formats = [] }: Source): readonly string[] {
  const own = webhook === undefined ? [] : [webhook.path];
  return webhook === undefined && formats.length === 0 ? [] : [...new Set([...own, `/webhook/${name}`])];
}

/** How its senders are answered. */
export function acknowledgementOf({ webhook }: Source): Acknowledgement {
  return webhook?.acknowledge ?? 'report';
}
