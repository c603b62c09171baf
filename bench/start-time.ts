import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { createEngineClient, type EngineClient } from '../test/fixtures/engine-client.js';
import type { LabHost } from '../test/fixtures/lab-host.js';
import { IPAM_SOCKET, NETWORK_SOCKET, startPluginDaemon } from '../test/fixtures/plugin-daemon.js';
import { median } from './statistics.js';

export interface StartTime {
  /** Milliseconds from starting the program until both sockets have answered. */
  readonly readyMs: number;
  readonly readyMsRounds: readonly number[];
  /** Resident memory some seconds after that, with everything loaded. */
  readonly restMiB: number;
}

/** How long the daemon is left alone before its memory at rest is read. */
const REST_MS = 8000;

/** Starts the daemon again and again with these settings; the last start is left to rest for its memory. */
export async function measureStart(
  host: LabHost,
  env: Readonly<Record<string, string>>,
  rounds: number,
): Promise<StartTime> {
  const times: number[] = [];
  let restMiB = Number.NaN;
  for (let round = 0; round < rounds; round += 1) {
    await host.must('rm', ['-f', NETWORK_SOCKET, IPAM_SOCKET]);
    const begin = performance.now();
    const daemon = await startPluginDaemon(host, { env, wait: false });
    for (const socket of [NETWORK_SOCKET, IPAM_SOCKET]) {
      const client = createEngineClient(host.path(socket));
      await answered(client);
      client.close();
    }
    times.push(performance.now() - begin);
    if (round === rounds - 1) {
      await delay(REST_MS);
      restMiB =
        Number(
          /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${daemon.process.pid}/status`, 'utf8'))?.[1],
        ) / 1024;
    }
    await daemon.stop();
  }
  return { readyMs: median(times), readyMsRounds: times, restMiB };
}

/** Asks every millisecond: the usual pause of a lab's poll would show in the result. */
async function answered(client: EngineClient): Promise<void> {
  const end = performance.now() + 30_000;
  while (performance.now() < end) {
    const status = await client.raw('Plugin.Activate').then(
      (answer) => answer.status,
      () => 0,
    );
    if (status === 200) return;
    await delay(1);
  }
  throw new Error('the sockets did not answer within 30 s');
}
