/** Reads Prometheus' text format, as far as doctor needs it. */

/** One series. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const pattern = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \d+)?$/;
const label = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** The samples of a text; what is none is left out. */
export function samplesIn(text: string): Sample[] {
  return text.split('\n').flatMap((line) => {
    const sample = sampleOn(line);
    return sample === undefined || Number.isNaN(sample.value) ? [] : [sample];
  });
}

/** The sample of a line, `name{label="value",...} number`; undefined where it is none. */
export function sampleOn(line: string): Sample | undefined {
  const [, name, labels = '', value = ''] = pattern.exec(line) ?? [];
  if (name === undefined) return undefined;
  const pairs = [...labels.matchAll(label)].map(([, key = '', word = '']) => [key, unescaped(word)]);
  return { name, labels: Object.fromEntries(pairs), value: Number(value) };
}

function unescaped(word: string): string {
  return word.replace(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character));
}
