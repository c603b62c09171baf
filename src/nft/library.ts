import { Fault, messageOf } from '../base/fault.js';
import { isOwnPort, NETLINK_NETFILTER } from '../netlink/index.js';
import type { Engine, Mode, Outcome } from './engine.js';

const SONAME = 'libnftables.so.1';
const CONTEXT_DEFAULT = 0;
/** The only output flag that is used: echo costs 10 ms, and input flags came after 1.0.6. */
const OUTPUT_JSON = 16;

/** libnftables' functions; a context is an opaque pointer. */
interface Library {
  newContext(): unknown;
  freeContext(context: unknown): void;
  /** On a thread of libuv's pool. 0 when all was done. */
  run(context: unknown, commands: string): Promise<number>;
  setDryRun(context: unknown, on: boolean): void;
  setOutputFlags(context: unknown, flags: number): void;
  /** Both forget what they return; unread they grow, and one left over ends in a crash at exit. */
  takeOutput(context: unknown): string;
  takeError(context: unknown): string;
}

/** nft within the process. Throws `unavailable` when the library is not there or gives no context. */
export async function openLibrary(): Promise<Engine> {
  const library = await loadLibrary();
  const context = library.newContext();
  if (context === null || context === undefined) throw unusable('it gives no context');
  return new LibraryEngine(library, context);
}

class LibraryEngine implements Engine {
  readonly implementation = 'library';
  readonly #library: Library;
  readonly #context: unknown;
  #freed = false;

  constructor(library: Library, context: unknown) {
    this.#library = library;
    this.#context = context;
  }

  async run(commands: string, mode: Mode): Promise<Outcome> {
    const library = this.#library;
    const context = this.#context;
    if (this.#freed) throw unusable('its context was freed');
    if (mode === 'check') library.setDryRun(context, true);
    if (mode === 'list') library.setOutputFlags(context, OUTPUT_JSON);
    try {
      const status = await library.run(context, commands);
      return {
        ok: status === 0,
        output: library.takeOutput(context),
        error: library.takeError(context),
      };
    } finally {
      if (mode === 'check') library.setDryRun(context, false);
      if (mode === 'list') library.setOutputFlags(context, 0);
    }
  }

  owns(port: number): boolean {
    return isOwnPort(NETLINK_NETFILTER, port);
  }

  async close(): Promise<void> {
    if (!this.#freed) this.#library.freeContext(this.#context);
    this.#freed = true;
  }
}

let loaded: Promise<Library> | undefined;

/** Once in the process: koffi keeps every function that it was told of. */
function loadLibrary(): Promise<Library> {
  loaded ??= declareLibrary().catch((error: unknown) => {
    throw unusable(messageOf(error), error);
  });
  return loaded;
}

async function declareLibrary(): Promise<Library> {
  const { default: koffi } = await import('koffi');
  const library = koffi.load(SONAME);
  const create = library.func('void *nft_ctx_new(uint32_t flags)');
  const free = library.func('void nft_ctx_free(void *context)');
  const run = library.func('int nft_run_cmd_from_buffer(void *context, const char *commands)');
  const setDryRun = library.func('void nft_ctx_set_dry_run(void *context, bool on)');
  const setFlags = library.func('void nft_ctx_output_set_flags(void *context, uint32_t flags)');
  const bufferOutput = library.func('int nft_ctx_buffer_output(void *context)');
  const bufferError = library.func('int nft_ctx_buffer_error(void *context)');
  const output = library.func('const char *nft_ctx_get_output_buffer(void *context)');
  const error = library.func('const char *nft_ctx_get_error_buffer(void *context)');
  return {
    newContext: () => {
      const context: unknown = create(CONTEXT_DEFAULT);
      if (context !== null && (bufferOutput(context) !== 0 || bufferError(context) !== 0)) {
        free(context);
        throw unusable('it cannot keep its output');
      }
      return context;
    },
    freeContext: (context) => void free(context),
    run: (context, commands) =>
      new Promise((resolve, reject) => {
        run.async(context, commands, (failure: unknown, status: unknown) => {
          if (failure === null || failure === undefined) resolve(Number(status));
          else reject(unusable(messageOf(failure), failure));
        });
      }),
    setDryRun: (context, on) => void setDryRun(context, on),
    setOutputFlags: (context, flags) => void setFlags(context, flags),
    takeOutput: (context) => String(output(context) ?? ''),
    takeError: (context) => String(error(context) ?? ''),
  };
}

function unusable(why: string, cause?: unknown): Fault {
  return new Fault('unavailable', `${SONAME} cannot be used: ${why}`, {
    reason: 'no-library',
    cause,
  });
}
