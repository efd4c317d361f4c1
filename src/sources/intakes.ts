/** What follows from a source's intakes. */
import type { Format, ResourceIntake, Source } from './source.ts';

/** The resources by name that the source reads; those of whole groups are discovered. */
export function resourceIntakes({ intakes }: Source): readonly ResourceIntake[] {
  return intakes.filter((intake) => intake.via === 'resource');
}

/** The formats that the source reads, each once: those of resources, then those that come as files. */
export function formatsOf({ intakes, formats = [] }: Source): readonly Format[] {
  return [...new Set([...intakes.map(({ format }) => format), ...formats])];
}
