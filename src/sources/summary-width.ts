/** At this width of a summary the table of `kubectl get` stays under 140 columns for a source of five letters. */
const comfortableCharacters = 36;
const fewestCharacters = 22;

/**
 * How long the summaries of a source should be; the event allows 48. The table shows the source's word twice, in the
 * name and in a column of its own: the longer it is, the shorter the summary has to be.
 */
export function summaryWidth(source: string): number {
  return Math.max(fewestCharacters, comfortableCharacters - 2 * Math.max(0, source.length - 5));
}
