/** What the index notes of a row in one byte. */

export const onServerFlag = 1;
export const resolvedFlag = 2;
export const editedFlag = 4;
export const signalFlag = 8;
export const foldedFlag = 16;
export const podFlag = 32;
/** What clearStored() leaves: it belongs to the finding, not to the object on the server. */
export const findingFlags = signalFlag | foldedFlag | podFlag;
