/** P5: normalizing (parse, map, filter, identity, hash) per source, against JSON.parse of the same bytes. */
import { identify, OwnerResolver, reportKeyHash } from '../../src/pipeline/identity.ts';
import { noPods } from '../../src/pipeline/owner.ts';
import type { Judge } from '../../src/pipeline/rules.ts';
import { formats } from '../../src/sources/registry.ts';
import type { Format, RawDocument } from '../../src/sources/source.ts';
import { everythingAccepted, judgeOf } from '../support/rules.ts';
import { checkReport } from './check-report.ts';
import type { Figure } from './figure.ts';
import { median, rounded } from './figure.ts';
import { policyReport } from './policy-report.ts';
import { vulnerabilityReport } from './reports.ts';
import { warningEvent } from './warning-event.ts';

const documents = 150;
/** Until the compiler has settled: the daemon normalizes for days. */
const warmUpRounds = 12;
const rounds = 15;

export function measureNormalizing(log: (line: string) => void): Figure[] {
  const inputs = {
    trivy: Array.from({ length: documents }, (_, index) =>
      vulnerabilityReport({ namespace: 'bench', index, kept: 10, filtered: 90, scan: 0 }),
    ),
    'trivy-checks': Array.from({ length: documents }, (_, index) => checkReport('bench', index)),
    policyreport: Array.from({ length: documents }, (_, index) => policyReport('bench', index)),
    'kubernetes-events': Array.from({ length: documents * 20 }, (_, index) => warningEvent('bench', index)),
  };
  return Object.entries(inputs).flatMap(([source, documentsOfSource]) => {
    const texts = documentsOfSource.map((document) => Buffer.from(JSON.stringify(document)));
    const atDefaults = measure(texts, judgeOf());
    const everything = measure(texts, judgeOf(everythingAccepted));
    log(
      `P5 ${source}: ${atDefaults.ratio.toFixed(2)} x at defaults, ${everything.ratio.toFixed(2)} x with everything kept`,
    );
    return [
      figure(`P5.${source}`, atDefaults, 1.5, 'at default thresholds'),
      figure(`P5.${source}.all`, everything, 3.5, 'with everything kept'),
    ];
  });
}

interface Measured {
  readonly ratio: number;
  readonly megabytesPerSecond: number;
}

function figure(id: string, { ratio, megabytesPerSecond }: Measured, limit: number, when: string): Figure {
  return {
    id,
    value: rounded(megabytesPerSecond, 1),
    unit: 'MB/s',
    ratio: rounded(ratio),
    goal: `at most ${limit} x JSON.parse of the same bytes, ${when}`,
    ok: ratio <= limit,
  };
}

/** Both in turn within one process, several rounds; the median of the pairs' ratios. */
function measure(texts: readonly Buffer[], judge: Judge): Measured {
  const bytes = texts.reduce((sum, text) => sum + text.length, 0);
  const format = formatOf(texts);
  const ratios: number[] = [];
  const times: number[] = [];
  for (let round = -warmUpRounds; round < rounds; round += 1) {
    const parse = timed(() => {
      for (const text of texts) JSON.parse(text.toString());
    });
    const whole = timed(() => {
      for (const text of texts) normalize(text, format, judge);
    });
    if (round < 0) continue;
    ratios.push(whole / parse);
    times.push(whole);
  }
  return { ratio: median(ratios), megabytesPerSecond: bytes / 1e6 / (median(times) / 1000) };
}

function formatOf(texts: readonly Buffer[]): Format {
  const document = JSON.parse(String(texts[0])) as RawDocument;
  const format = formats().find((one) => one.recognise(document));
  if (format === undefined) throw new Error('no format recognises the document of the benchmark');
  return format;
}

/** What the reconciler does with each report before it compares. */
function normalize(text: Buffer, format: Format, judge: Judge): number {
  let fingerprints = 0;
  for (const reading of format.read(JSON.parse(text.toString()) as RawDocument, { now: new Date() })) {
    const owners = new OwnerResolver(noPods);
    reportKeyHash(reading.reportKey, owners);
    for (const finding of reading.findings) {
      if (judge(finding, owners).kind !== 'accepted') continue;
      owners.resolve(finding.resource);
      fingerprints += identify(finding, owners).name.length;
    }
  }
  return fingerprints;
}

function timed(work: () => void): number {
  const startedAt = performance.now();
  work();
  return performance.now() - startedAt;
}
