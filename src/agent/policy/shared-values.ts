/**
 * Equal values are one object for as long as anybody has it: what was computed from one of them is
 * found again by the object, and a thousand items that are alike take the room of one.
 */
export class SharedValues<T extends object> {
  readonly #byText = new Map<string, WeakRef<T>>();
  readonly #gone = new FinalizationRegistry<string>((text) => {
    // Another one may have taken its place meanwhile.
    if (this.#byText.get(text)?.deref() === undefined) this.#byText.delete(text);
  });

  /** The one value of this text, which tells all values apart; must not be changed any more. */
  share(text: string, value: T): T {
    const known = this.#byText.get(text)?.deref();
    if (known !== undefined) return known;
    this.#byText.set(text, new WeakRef(value));
    this.#gone.register(value, text);
    return value;
  }
}
