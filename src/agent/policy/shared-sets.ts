/**
 * Equal sets are one object for as long as anybody has it: what was computed from one of them is
 * found again by the object, and a thousand items with the same matches take the room of one.
 */
export class SharedSets {
  readonly #byText = new Map<string, WeakRef<ReadonlySet<string>>>();
  readonly #gone = new FinalizationRegistry<string>((text) => {
    // Another one may have taken its place meanwhile.
    if (this.#byText.get(text)?.deref() === undefined) this.#byText.delete(text);
  });

  /** The one set of these texts, which have no NUL; must not be changed any more. */
  share(set: ReadonlySet<string>): ReadonlySet<string> {
    const text = [...set].sort().join('\0');
    const known = this.#byText.get(text)?.deref();
    if (known !== undefined) return known;
    this.#byText.set(text, new WeakRef(set));
    this.#gone.register(set, text);
    return set;
  }
}
