/** The events of reports as the daemon would create them, as JSON: what the raw loops send. */

import { buildEvent } from '../../src/pipeline/event-builder.ts';
import { identify, OwnerResolver, reportKeyHash } from '../../src/pipeline/identity.ts';
import { noPods } from '../../src/pipeline/owner.ts';
import { formats } from '../../src/sources/registry.ts';
import type { RawDocument } from '../../src/sources/source.ts';

export function eventBodies(documents: readonly object[], namespace: string): string[] {
  const now = new Date();
  return documents.flatMap((raw) => {
    const document = raw as RawDocument;
    const format = formats().find((one) => one.recognise(document));
    if (format === undefined) throw new Error('a report of the benchmark is of no known format');
    return format.read(document, { now }).flatMap((reading) => {
      const owners = new OwnerResolver(noPods);
      const reportKey = reportKeyHash(reading.reportKey, owners);
      return reading.findings.map((finding) =>
        JSON.stringify(
          buildEvent(
            {
              finding,
              identity: identify(finding, owners),
              resource: owners.resolve(finding.resource),
              reportKey,
              origin: reading.origin,
            },
            { namespace, detectedAt: now },
          ),
        ),
      );
    });
  });
}
