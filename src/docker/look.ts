import type { DockerNetwork } from './engine-records.js';
import type { Engine } from './engine.js';

/** Everything that Docker holds of ours at one time, whichever of its two lists says so. */
export interface DockerLook {
  readonly engineId: string;
  /** Of whatever driver: one of ours may be listed under an older name of the driver. */
  readonly networkIds: ReadonlySet<string>;
  readonly endpointIds: ReadonlySet<string>;
  /** Addresses in use on our networks, as Docker prints them; gateways and auxiliary addresses among them. */
  readonly addresses: ReadonlySet<string>;
}

/**
 * Asks for live containers and for each network's own endpoints: the second also tells of containers that
 * are just being started, and of endpoints whose container is gone (protocol §6). Any unanswered question fails the whole look.
 */
export async function lookAt(
  engine: Engine,
  isOurs: (network: DockerNetwork) => boolean,
): Promise<DockerLook> {
  const networks = await engine.networks();
  const own = networks.filter(isOurs);
  const ours = own.map(({ id }) => id);
  const endpointIds = new Set<string>();
  const addresses = new Set<string>();
  const add = (entry: {
    readonly endpointId: string;
    readonly addresses: readonly string[];
  }): void => {
    if (entry.endpointId !== '') endpointIds.add(entry.endpointId);
    for (const address of entry.addresses) addresses.add(address);
  };
  for (const { gateway, auxiliary } of own.flatMap(({ subnets }) => subnets))
    for (const text of [gateway, ...auxiliary])
      if (text !== '') addresses.add(text.split('/', 1)[0] ?? '');
  for (const endpoint of await engine.endpoints(ours)) add(endpoint);
  for (const id of ours) for (const entry of (await engine.attachments(id)) ?? []) add(entry);
  return {
    engineId: engine.identity.id,
    networkIds: new Set(networks.map(({ id }) => id)),
    endpointIds,
    addresses,
  };
}
