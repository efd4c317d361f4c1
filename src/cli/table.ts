/** Tables like those of `kubectl get`: each column as wide as its widest text. */

/** What a column is called, and what it shows of an item. */
export interface Column<Item> {
  readonly title: string;
  readonly text: (item: Item) => string;
}

const gap = '   ';

/** The lines, the titles first; none where there are no items. `paint` may change the padded cells of an item. */
export function* renderTable<Item>(
  columns: readonly Column<Item>[],
  items: readonly Item[],
  paint: (cells: string[], item: Item) => void = () => {},
): Generator<string> {
  if (items.length === 0) return;
  const titles = columns.map(({ title }) => title);
  const widths = titles.map((title) => title.length);
  for (const item of items) {
    for (const [at, { text }] of columns.entries()) widths[at] = Math.max(widths[at] ?? 0, lengthOf(text(item)));
  }
  const padded = (cells: readonly string[]) =>
    cells.map((cell, at) => cell + ' '.repeat((widths[at] ?? 0) - lengthOf(cell)));
  const line = (cells: readonly string[]) => `${cells.join(gap).trimEnd()}\n`;
  yield line(padded(titles));
  for (const item of items) {
    const cells = padded(columns.map(({ text }) => text(item)));
    paint(cells, item);
    yield line(cells);
  }
}

/** In characters, not in UTF-16 units. */
function lengthOf(text: string): number {
  return [...text].length;
}
