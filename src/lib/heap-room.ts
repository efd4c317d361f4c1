/** Whether the heap fits the memory that the container may use. */

/** The rest is for code, buffers, connections and the young generation's copies. */
const greatestShare = 0.75;
/** Kernels say "no limit" with a number larger than any machine. */
const noLimitBytes = 2 ** 50;

/**
 * True where V8 may let the heap grow to more than the container can hold beside everything else: the kernel would end the
 * process before V8 collects. `containerBytes`: the limit of the cgroup; 0 or undefined where there is none.
 */
export function outgrowsContainer(heapLimitBytes: number, containerBytes: number | undefined): boolean {
  if (containerBytes === undefined || containerBytes <= 0 || containerBytes >= noLimitBytes) return false;
  return heapLimitBytes > containerBytes * greatestShare;
}
