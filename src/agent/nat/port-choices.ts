import type { PortBinding } from '../../model/index.js';

/** Free ports that are tried for one that any will do: another family may have it taken. */
const TRIES = 20;

/** Host ports to try in order; 0: any. */
export function choicesOf({ hostPort, hostPortEnd }: PortBinding): readonly number[] {
  return hostPort === 0
    ? Array.from({ length: TRIES }, () => 0)
    : Array.from({ length: hostPortEnd - hostPort + 1 }, (_, at) => hostPort + at);
}
