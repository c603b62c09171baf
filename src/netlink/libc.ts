import { Fault, messageOf } from '../base/fault.js';

/**
 * The C library's calls, by koffi: for what the netlink package does not offer. The asynchronous
 * ones run on a thread of libuv's pool; buffers given to them must stay reachable until they end.
 */
export interface Libc {
  /** -1 when there is none to be had. */
  socket(domain: number, type: number, protocol: number): number;
  /** 0 when it was set. */
  setOption(descriptor: number, level: number, option: number, value: Buffer): number;
  send(descriptor: number, data: Buffer): Promise<number>;
  receive(descriptor: number, into: Buffer): Promise<number>;
  close(descriptor: number): void;
  /** Gives free pages of the C library's heap back to the kernel; true when there were any. */
  trim(): Promise<boolean>;
}

let loaded: Promise<Libc> | undefined;

/**
 * Loaded once in the process, for koffi keeps every function that it was told of. Rejects with
 * `unavailable` where koffi or the library cannot be loaded.
 */
export function loadLibc(): Promise<Libc> {
  loaded ??= declareLibc().catch((error: unknown) => {
    throw unavailable(error);
  });
  return loaded;
}

async function declareLibc(): Promise<Libc> {
  const { default: koffi } = await import('koffi');
  const library = koffi.load('libc.so.6');
  const socket = library.func('int socket(int domain, int type, int protocol)');
  const setOption = library.func(
    'int setsockopt(int fd, int level, int name, const void *value, uint32_t length)',
  );
  const send = library.func('int64_t send(int fd, const void *data, size_t length, int flags)');
  const receive = library.func('int64_t recv(int fd, void *into, size_t length, int flags)');
  const close = library.func('int close(int fd)');
  const trim = library.func('int malloc_trim(size_t pad)');
  const threaded = (call: typeof send, descriptor: number, buffer: Buffer): Promise<number> =>
    new Promise((resolve, reject) => {
      call.async(descriptor, buffer, buffer.length, 0, (error: unknown, result: unknown) => {
        if (error === null || error === undefined) resolve(Number(result));
        else reject(unavailable(error));
      });
    });
  return {
    socket: (domain, type, protocol) => Number(socket(domain, type, protocol)),
    setOption: (fd, level, option, value) =>
      Number(setOption(fd, level, option, value, value.length)),
    send: (fd, data) => threaded(send, fd, data),
    receive: (fd, into) => threaded(receive, fd, into),
    close: (fd) => void close(fd),
    trim: () =>
      new Promise((resolve, reject) => {
        trim.async(0, (error: unknown, result: unknown) => {
          if (error === null || error === undefined) resolve(Number(result) === 1);
          else reject(unavailable(error));
        });
      }),
  };
}

function unavailable(cause: unknown): Fault {
  return new Fault('unavailable', `the C library cannot be called: ${messageOf(cause)}`, {
    reason: 'no-libc',
    cause,
  });
}
