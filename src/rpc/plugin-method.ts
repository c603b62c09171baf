import type { TSchema } from 'typebox';

/** One method of a driver, such as `NetworkDriver.Join`. */
export interface PluginMethod {
  /** Shape of the body; undefined for methods that take none. */
  readonly schema?: TSchema;
  /** An empty body is answered too: Docker's drained retry of a call that needs nothing from it. */
  readonly emptyBody?: boolean;
  /** The answer needs no work: it is given at once, without a bound. */
  readonly constant?: unknown;
  /** Longest time until the answer, in milliseconds. */
  readonly boundMs: number;
  /** The answer's JSON value. The signal fires at the bound. */
  run(body: unknown, signal: AbortSignal): Promise<unknown>;
}

/** Nothing is waited for, so nothing has to be bounded; servers answer `constant` themselves. */
const CONSTANT_MS = 1_000;

/** A method that always answers the same, with or without a body. */
export function constantMethod(value: unknown): PluginMethod {
  return {
    emptyBody: true,
    boundMs: CONSTANT_MS,
    constant: value,
    run: () => Promise.resolve(value),
  };
}

/** As `constantMethod`, for what is looked up at each call, without waiting. */
export function lookedUpMethod(look: () => unknown): PluginMethod {
  return { emptyBody: true, boundMs: CONSTANT_MS, run: () => Promise.resolve(look()) };
}

/** A method whose body has this shape. */
export function checkedMethod<Body>(
  schema: TSchema,
  boundMs: number,
  run: (body: Body, signal: AbortSignal) => Promise<unknown>,
): PluginMethod {
  return { schema, boundMs, run: (body, signal) => run(body as Body, signal) };
}
