import { readDaemonConfig } from './daemon-config.js';
import type { DatastoreConfig } from './datastore-config.js';
import type { ConfigInputs } from './inputs.js';
import type { Key } from './schema.js';

/** A reading's problems as lines, and then every value with its source: what `--check-config` prints. */
export function checkConfig(inputs: ConfigInputs): {
  readonly ok: boolean;
  readonly lines: readonly string[];
} {
  const { config, settings, sources, problems } = readDaemonConfig(inputs);
  const lines = problems.map(({ severity, message }) => `${severity}: ${message}`);
  for (const key of Object.keys(settings) as Key[]) {
    lines.push(`${key}: ${JSON.stringify(settings[key])}  # ${sources[key]}`);
  }
  if (config !== undefined) {
    lines.push(`node name: ${config.nodeName.name}  # ${config.nodeName.source}`);
    lines.push(`datastore: ${describe(config.datastore)}`);
  }
  return { ok: problems.every(({ severity }) => severity !== 'error'), lines };
}

function describe(datastore: DatastoreConfig | undefined): string {
  if (datastore === undefined) return 'embedded  # nothing is configured';
  if (datastore.type === 'embedded') return `embedded  # ${datastore.source}`;
  const where = datastore.discoverySrv ?? datastore.endpoints.join(',');
  return `etcdv3 ${where}  # ${datastore.source}`;
}
