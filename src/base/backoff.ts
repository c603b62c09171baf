/** Delays of a retry loop: doubled from `firstMs` to `lastMs`, each with up to a quarter of jitter. */
export function* backoff(
  firstMs: number,
  lastMs: number,
  random: () => number = Math.random,
): Generator<number, never> {
  let step = firstMs;
  for (;;) {
    yield Math.round(step * (0.75 + 0.25 * random()));
    step = Math.min(step * 2, lastMs);
  }
}
