import { randomUUID } from 'node:crypto';
import { decodeResource, encodeResource } from '../model/v3/index.js';

/**
 * Which life of the cluster's data this is. A datastore that was restored, emptied or exchanged begins a new one, and in
 * each epoch every host first claims the addresses of its containers again. It stands in ClusterInformation as an
 * annotation, which Calico's own programs keep, so that whoever watches anything sees it change with the rest.
 */
export interface Epoch {
  /** One more than any that was known to whoever began it. */
  readonly number: number;
  /** Tells two epochs of one number apart. */
  readonly id: string;
}

export const EPOCH_ANNOTATION = 'calico-libnetwork/epoch';

export function newEpoch(...known: readonly (Epoch | undefined)[]): Epoch {
  return { number: Math.max(0, ...known.map((one) => one?.number ?? 0)) + 1, id: randomUUID() };
}

export const formatEpoch = ({ number, id }: Epoch): string => `${number}.${id}`;

/** Undefined for a text that is no epoch. */
export function parseEpoch(text: string | undefined): Epoch | undefined {
  const [, number, id] = /^(\d{1,15})\.([0-9a-f-]{36})$/.exec(text ?? '') ?? [];
  return number === undefined || id === undefined ? undefined : { number: Number(number), id };
}

/** The epoch in a stored ClusterInformation. */
export function epochIn(clusterInformation: string, where?: string): Epoch | undefined {
  return parseEpoch(
    decodeResource(clusterInformation, where).metadata.annotations?.[EPOCH_ANNOTATION],
  );
}

/** The ClusterInformation with this epoch; everything else stays. */
export function withEpoch(clusterInformation: string, epoch: Epoch): string {
  const resource = decodeResource(clusterInformation);
  const annotations = {
    ...resource.metadata.annotations,
    [EPOCH_ANNOTATION]: formatEpoch(epoch),
  };
  return encodeResource({ ...resource, metadata: { ...resource.metadata, annotations } });
}
