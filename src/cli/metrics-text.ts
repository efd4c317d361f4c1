/** Reads Prometheus' text format, as far as doctor needs it. */

/** One series. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const line = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const label = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** The samples of a text; what is none is left out. */
export function samplesIn(text: string): Sample[] {
  return text.split('\n').flatMap((each) => {
    const [, name, labels = '', value = ''] = line.exec(each) ?? [];
    if (name === undefined || Number.isNaN(Number(value))) return [];
    const pairs = [...labels.matchAll(label)].map(([, key = '', word = '']) => [key, unescaped(word)]);
    return [{ name, labels: Object.fromEntries(pairs), value: Number(value) }];
  });
}

function unescaped(word: string): string {
  return word.replace(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character));
}
