/** P5: normalizing (parse, map, filter, identity, hash) per source, against JSON.parse of the same bytes. */
import { identify, OwnerResolver, reportKeyHash } from '../../src/pipeline/identity.ts';
import { noPods } from '../../src/pipeline/owner.ts';
import type { Judge } from '../../src/pipeline/rules.ts';
import type { Format, RawDocument } from '../../src/sources/source.ts';
import { everythingAccepted, judgeOf } from '../support/rules.ts';
import type { Corpus } from './corpora.ts';
import { corpora } from './corpora.ts';
import type { Figure } from './figure.ts';
import { rounded } from './figure.ts';

/** Until the compiler has settled: the daemon normalizes for days. */
const warmUpRounds = 40;
const rounds = 60;
/** A round parses about so many bytes, in a millisecond or two: many rounds are not interrupted by others on the machine. */
const roundBytes = 300_000;

export async function measureNormalizing(log: (line: string) => void): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const corpus of await corpora()) {
    const atDefaults = measure(corpus, judgeOf());
    const everything = measure(corpus, judgeOf(everythingAccepted));
    const [defaults, all] = [atDefaults.ratio.toFixed(2), everything.ratio.toFixed(2)];
    const kilobytes = corpus.texts.reduce((sum, text) => sum + text.length, 0) / 1000 / corpus.texts.length;
    const what = `${corpus.texts.length} documents of ${kilobytes.toFixed(1)} KB`;
    log(`P5 ${corpus.name}: ${defaults} x at defaults, ${all} x with everything kept (${what})`);
    figures.push(
      figure(`P5.${corpus.name}`, atDefaults, 1.5, 'at default thresholds'),
      figure(`P5.${corpus.name}.all`, everything, 3.5, 'with everything kept'),
    );
  }
  return figures;
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

/** Both in turn within one process, several rounds; the fastest of each: whatever else the machine does only adds. */
function measure({ format, texts }: Corpus, judge: Judge): Measured {
  const bytes = texts.reduce((sum, text) => sum + text.length, 0);
  const repeats = Math.ceil(roundBytes / bytes);
  let fastestParse = Number.POSITIVE_INFINITY;
  let fastest = Number.POSITIVE_INFINITY;
  for (let round = -warmUpRounds; round < rounds; round += 1) {
    const parse = timed(repeats, () => {
      for (const text of texts) JSON.parse(text.toString());
    });
    const whole = timed(repeats, () => {
      for (const text of texts) normalize(text, format, judge);
    });
    if (round < 0) continue;
    fastestParse = Math.min(fastestParse, parse);
    fastest = Math.min(fastest, whole);
  }
  return { ratio: fastest / fastestParse, megabytesPerSecond: (bytes * repeats) / fastest };
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

/** Microseconds. */
function timed(repeats: number, work: () => void): number {
  const begin = performance.now();
  for (let repeat = 0; repeat < repeats; repeat += 1) work();
  return (performance.now() - begin) * 1000;
}
