import type { BgpHostSettings } from './agent/index.js';
import type { DaemonConfig } from './config/index.js';
import type { Store } from './datastore/index.js';

/** What the operator says about BGP, and why there is none where that is so. */
export function bgpSettings(
  config: DaemonConfig,
  store: Store,
  dataplane: 'internal' | 'external',
): BgpHostSettings {
  const { runDir, networkingBackend, routerId } = config;
  const disabled =
    networkingBackend !== 'bird'
      ? `networkingBackend is ${networkingBackend}`
      : dataplane === 'external'
        ? 'dataplane is external: BGP is left to calico-node'
        : store.type === 'embedded'
          ? 'the embedded datastore serves this host alone'
          : undefined;
  return {
    ...(disabled === undefined ? {} : { disabled }),
    ...{ runDir, routerId, bfd: config.bgpBfd },
    includeFolder: config.bgpIncludeDir,
    passwordFile: config.bgpPasswordFile,
  };
}
