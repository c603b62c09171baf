import { join } from 'node:path';
import { RecordJournal } from './base/index.js';

/** Joined endpoints of this boot. */
export const endpointFiles = (runDir: string): RecordJournal =>
  new RecordJournal(join(runDir, 'endpoints.journal'));

/** Gateway and auxiliary addresses of Docker's networks. */
export const poolAddressFiles = (stateDir: string): RecordJournal =>
  new RecordJournal(join(stateDir, 'pool-addresses.journal'));

/** True on a host where nothing on file uses an address: neither a container of this boot nor a network. */
export function hasNothingToClaim(folders: {
  readonly runDir: string;
  readonly stateDir: string;
}): boolean {
  const files = [endpointFiles(folders.runDir), poolAddressFiles(folders.stateDir)];
  return files.every((one) => one.all().size === 0);
}
