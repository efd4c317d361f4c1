/**
 * Why a listing showed something other than what had been told before it:
 *
 *  missed      the watch was up and had left it out, as the server itself says: this must not happen
 *  unwatched   it came about while nothing was watched: an outage, a 410, another version of the API
 *  aggregated  by the watch of an aggregated API, which promises less
 *  unproven    the watch was up, and the server can no longer say what there was at that moment
 */
export const relistCauses = ['missed', 'unwatched', 'aggregated', 'unproven'] as const;
export type RelistCause = (typeof relistCauses)[number];
