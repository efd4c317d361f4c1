import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { type IsEnough, LineTooLong, lines } from '../../src/kube/json-lines.ts';

const plenty = 1_000_000;

async function read(chunks: readonly string[], maximumBytes = plenty, isEnough?: IsEnough): Promise<string[]> {
  const source = (async function* () {
    for (const chunk of chunks) yield Buffer.from(chunk, 'latin1');
  })();
  const all: string[] = [];
  for await (const line of lines(source, maximumBytes, isEnough)) all.push(line.toString('latin1'));
  return all;
}

/** The text in pieces that end at those places. */
function cutAt(text: string, places: readonly number[]): string[] {
  const ends = [...new Set(places.map((place) => place % (text.length + 1))), text.length].sort((a, b) => a - b);
  return ends.map((end, index) => text.slice(ends[index - 1] ?? 0, end));
}

suite('lines of a stream', () => {
  const line = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '"'), maxLength: 40 });
  const places = fc.array(fc.nat(), { maxLength: 30 });

  test('are whole and in order however they are cut into chunks; what follows the last end is dropped', async () => {
    const property = fc.asyncProperty(fc.array(line), line, places, async (whole, rest, cuts) => {
      const text = whole.map((one) => `${one}\n`).join('') + rest;
      assert.deepEqual(
        await read(cutAt(text, cuts)),
        whole.filter((one) => one !== ''),
      );
    });
    await fc.assert(property);
  });

  test('of a line whose beginning is enough no more is held, and the others are whole', async () => {
    const property = fc.asyncProperty(fc.array(line), places, async (all, cuts) => {
      const whole = all.filter((one) => one !== '');
      // The first character says it, as soon as it is there.
      const isEnough: IsEnough = (beginning) => (beginning.length === 0 ? undefined : beginning[0] === 0x61);
      const text = whole.map((one) => `${one}\n`).join('');
      const seen = await read(cutAt(text, cuts), plenty, isEnough);
      assert.equal(seen.length, whole.length);
      for (const [index, one] of seen.entries()) {
        const wanted = whole[index] ?? '';
        if (wanted.startsWith('a')) assert.ok(one !== '' && wanted.startsWith(one), `${one} of ${wanted}`);
        else assert.equal(one, wanted);
      }
    });
    await fc.assert(property);
    assert.deepEqual(await read(['abc', 'def', 'ghi\nxyz\n'], plenty, () => true), ['abc', 'xyz']);
  });

  test('a beginning that does not say it yet is put together with what follows, three times at most', async () => {
    const looks: string[] = [];
    const isEnough: IsEnough = (beginning) => {
      looks.push(beginning.toString('latin1'));
      return beginning.includes('4') ? true : undefined;
    };
    assert.deepEqual(await read(['1', '2', '3', '4', '5\n', '14', '5', '6\n'], plenty, isEnough), ['12345', '14']);
    assert.deepEqual(looks, ['1', '12', '123', '14']);
  });

  test('a line beyond the limit is an error, though nothing of it is wanted', async () => {
    for (const isEnough of [() => true, () => false, () => undefined]) {
      await assert.rejects(read(['aaaa', 'aaaa', 'aaaa\n'], 10, isEnough), LineTooLong);
      await assert.rejects(read(['aaaa', 'aaaa', 'aaaa'], 10, isEnough), LineTooLong);
      assert.deepEqual((await read(['aaaaa', 'aaaaa\nb\n'], 10, isEnough)).at(-1), 'b');
    }
  });
});
