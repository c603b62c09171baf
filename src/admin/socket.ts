import { once } from 'node:events';
import { chmod, lstat, mkdir, unlink } from 'node:fs/promises';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { Fault, messageOf } from '../base/index.js';

const isCode = (error: unknown, ...codes: readonly string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code));

/** Removes a socket file on which nobody listens; `refused` when somebody does, or when it is no socket. */
async function removeStale(path: string): Promise<void> {
  try {
    if (!(await lstat(path)).isSocket()) {
      throw new Fault('refused', `${path} is there and no socket: move it away`, {
        reason: 'listen',
      });
    }
  } catch (error) {
    if (isCode(error, 'ENOENT')) return;
    throw error;
  }
  const probe = connect(path);
  try {
    await once(probe, 'connect');
  } catch (error) {
    if (!isCode(error, 'ECONNREFUSED', 'ENOENT')) throw error;
    await unlink(path).catch((failed: unknown) => {
      if (!isCode(failed, 'ENOENT')) throw failed;
    });
    return;
  } finally {
    probe.destroy();
  }
  const message = `another process listens on ${path}: is calico-libnetwork running already?`;
  throw new Fault('refused', message, { reason: 'in-use' });
}

/** Listens on a unix socket that only its owner can open, at no moment anybody else. */
export async function listenOn(server: Server, path: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    await removeStale(path);
    const failed = once(server, 'error').then(([error]: unknown[]) => {
      throw error;
    });
    const listening = once(server, 'listening');
    // Node binds inside `listen`, so the mask is for nobody else's files.
    const mask = process.umask(0o077);
    try {
      server.listen(path);
    } finally {
      process.umask(mask);
    }
    await Promise.race([listening, failed]);
    failed.catch(() => undefined);
    await chmod(path, 0o600);
  } catch (error) {
    if (error instanceof Fault) throw error;
    const message = `cannot listen on ${path}: ${messageOf(error)}`;
    throw new Fault('refused', message, { reason: 'listen', cause: error });
  }
}
