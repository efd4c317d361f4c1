/** Columns of packed tables. */

/** A longer copy of a column. */
export function grown<Column extends Uint8Array | Uint16Array | Uint32Array | Float64Array>(
  column: Column,
  length: number,
): Column {
  const larger = new (column.constructor as new (size: number) => Column)(length);
  larger.set(column);
  return larger;
}
