/** The events of reports with no cluster: parsing, mapping, identity and building, as `zen-watcher scan` does them. */
import assert from 'node:assert/strict';
import type { ZenAgentEvent } from '../../src/api/event.ts';
import { buildEvent } from '../../src/pipeline/event-builder.ts';
import { identify, OwnerResolver, reportKeyHash } from '../../src/pipeline/identity.ts';
import { noPods } from '../../src/pipeline/owner.ts';
import { formats } from '../../src/sources/registry.ts';
import type { RawDocument } from '../../src/sources/source.ts';
import { readAt } from './reports.ts';

/** One event per finding: a name occurs more than once where findings are the same. All must be understood. */
export function pureEvents(documents: readonly RawDocument[], namespace = 'none'): ZenAgentEvent[] {
  return documents.flatMap((document) => {
    const format = formats().find((candidate) => candidate.recognise(document));
    assert.ok(format, 'no format recognises the report');
    return format.read(document, { now: readAt }).flatMap((reading) => {
      assert.deepEqual(reading.rejected, []);
      const owners = new OwnerResolver(noPods);
      const reportKey = reportKeyHash(reading.reportKey, owners);
      return reading.findings.map((finding) => {
        const identity = identify(finding, owners);
        const resource = owners.resolve(finding.resource);
        const parts = { finding, identity, resource, reportKey, origin: reading.origin };
        return buildEvent(parts, { namespace, detectedAt: readAt });
      });
    });
  });
}
