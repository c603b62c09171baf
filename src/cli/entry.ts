import { randomUUID } from 'node:crypto';
import { systemInputs } from '../config/index.js';
import { systemFiles } from './files.js';
import type { Io } from './io.js';
import { main } from './main.js';

const argv = process.argv.slice(2);
const inputs = systemInputs(argv);
// Calico's own clients give other hosts this long to see that a pool is disabled.
const POOL_GRACE_MS = 500;

const io: Io = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  columns: process.stdout.columns ?? 100,
  files: systemFiles(process.stdin),
  inputs,
  now: () => new Date(),
  newUid: randomUUID,
  poolGraceMs: POOL_GRACE_MS,
  openStore: async (options) => (await import('./stores.js')).openStore(inputs, options),
  showProtocols: async (path) => (await import('../bird/index.js')).showProtocols(path),
  readCounters: async (endpoint) => (await import('./stores.js')).readCounters(inputs, endpoint),
  readFlows: async () => (await import('./stores.js')).readFlows(inputs),
  containers: {
    add: async (request) => (await import('./stores.js')).containersOf(inputs).add(request),
    remove: async (request) => (await import('./stores.js')).containersOf(inputs).remove(request),
  },
  readStatus: async (socket) => (await import('./stores.js')).readStatus(inputs, socket),
};

// `calicoctl get … | head` closes the pipe early: that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

// A connection that is being made and a deadline do not keep the process; the command must.
const alive = setInterval(() => undefined, 60_000);
void main(argv, io).then((status) => {
  clearInterval(alive);
  // The empty write comes after all output; then nothing that is still open may hold the command up.
  process.stdout.write('', () => process.exit(status));
});
