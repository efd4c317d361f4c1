import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outgrowsContainer } from '../../src/lib/heap-room.ts';

const mebibyte = 2 ** 20;

test('a heap that may take nearly all of the container, or more, outgrows it', () => {
  assert.ok(outgrowsContainer(262 * mebibyte, 256 * mebibyte));
  assert.ok(outgrowsContainer(193 * mebibyte, 256 * mebibyte));
  assert.ok(!outgrowsContainer(140 * mebibyte, 256 * mebibyte));
});

test('without a limit of the container every heap fits', () => {
  for (const none of [undefined, 0, 2 ** 63 - 4096, 2 ** 64]) assert.ok(!outgrowsContainer(4192 * mebibyte, none));
});
