// Texts by their places in a list: in a message between threads each travels once, and is one string for all who use it on
// the other side.

export class Names {
  readonly #places = new Map<string, number>();

  place(name: string): number {
    const known = this.#places.get(name);
    if (known !== undefined) return known;
    const place = this.#places.size;
    this.#places.set(name, place);
    return place;
  }

  /** -1 for null. */
  placeOrNull(name: string | null): number {
    return name === null ? -1 : this.place(name);
  }

  all(): string[] {
    return [...this.#places.keys()];
  }
}
