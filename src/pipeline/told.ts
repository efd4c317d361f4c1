/** How an object was told to the reconciler. */
export interface Told {
  /** Its resourceVersion, where it has one. */
  readonly version?: string | undefined;
  /** Some of it could not be read: what it says nothing of may still stand there. */
  readonly isBroken?: boolean;
  /** It is told whole each time, also after a restart: the signals in it are to be counted once. */
  readonly isSnapshot?: boolean;
}
