import type { Store } from './datastore/index.js';
import type { DaemonCoreOptions } from './daemon-core.js';
import { startMetadataWriter, type DockerInventory } from './docker/index.js';
import { recordEngine } from './node/index.js';
import type { PluginCore } from './plugin-core.js';

/** Names, labels and the engine's identity, as Docker tells them, in the background. */
export function followInventory(parts: {
  readonly options: DaemonCoreOptions;
  readonly store: Store;
  readonly plugin: PluginCore;
  readonly inventory: DockerInventory;
  readonly uuid: string;
}): void {
  const { options, store, plugin, inventory, uuid } = parts;
  const { config, log, signal } = options;
  const { networks, endpoints } = plugin.driver;
  const background = (work: Promise<unknown>, what: string): void => {
    work.catch((error: unknown) => {
      if (!signal.aborted) log.warn({ err: error }, what);
    });
  };
  inventory.subscribe({
    onNetwork: (change) => {
      if (change.type !== 'learnt') return;
      const work = networks
        .rename(change.id, change.name, { signal })
        .then(() => endpoints.named(change.id, change.name));
      background(work, 'a network name could not be written down');
    },
  });
  startMetadataWriter({
    inventory,
    mode: config.labelEndpoints ? 'prefixed' : 'none',
    updateEndpoint: (endpointId, change) => endpoints.update(endpointId, change),
    log,
    signal,
  });
  const engineKnown = inventory.ready(signal).then(async () => {
    const { engine } = inventory.status();
    if (engine === undefined) return;
    await recordEngine(
      store,
      config.nodeName.name,
      uuid,
      { id: engine.id, version: engine.version },
      { signal },
    );
  });
  background(engineKnown, 'the Docker engine could not be recorded');
}
