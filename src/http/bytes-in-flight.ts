/**
 * How much of bodies may be in memory at a time. One route may have at most two thirds of it, two have two fifths each, and
 * so on: each may have twice of what is left, so that there is always something left for another one.
 */
export class BytesInFlight {
  readonly #limit: number;
  readonly #byRoute = new Map<string, number>();
  #total = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get total(): number {
    return this.#total;
  }

  /** Takes so many more for the route; false, and nothing is taken, where they are too many. */
  take(route: string, bytes: number): boolean {
    const own = (this.#byRoute.get(route) ?? 0) + bytes;
    if (own > 2 * (this.#limit - this.#total - bytes)) return false;
    this.#byRoute.set(route, own);
    this.#total += bytes;
    return true;
  }

  giveBack(route: string, bytes: number): void {
    this.#byRoute.set(route, (this.#byRoute.get(route) ?? 0) - bytes);
    this.#total -= bytes;
  }
}
