/** What the registry says of the nature of findings. */
import type { Source } from './source.ts';

/** Tells signals from states by the words in spec.source and spec.eventType: what an event on the server is. */
export function signalTest(sources: readonly Source[]): (source: string, eventType: string) => boolean {
  const signals = new Set<string>();
  for (const { emits, eventTypes } of sources) {
    for (const { eventType, nature } of eventTypes) {
      if (nature === 'signal') for (const word of emits) signals.add(`${word}/${eventType}`);
    }
  }
  return (source, eventType) => signals.has(`${source}/${eventType}`);
}

/** Whether anything that the source finds is a signal. */
export function hasSignals({ eventTypes }: Source): boolean {
  return eventTypes.some(({ nature }) => nature === 'signal');
}
