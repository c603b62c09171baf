/** `/calico/docker/v1/hosts/<node>`: which machine last used the node name (architecture §5). */
export interface HostRecord {
  /** Empty in a record that another host made for one that it remembers. */
  readonly uuid: string;
  /** The Docker engine that was last seen there; absent until dockerd answered for the first time. */
  readonly engine?: { readonly id: string; readonly version: string };
  /** Version of this program. */
  readonly version: string;
  /** The epoch of the datastore in which this host has claimed the addresses of its containers; see `Epoch`. */
  readonly epoch?: string;
}

export function encodeHostRecord(record: HostRecord): string {
  const { uuid, engine, version, epoch } = record;
  return JSON.stringify({
    uuid,
    ...(engine === undefined ? {} : { engine }),
    version,
    ...(epoch === undefined ? {} : { epoch }),
  });
}

/** Undefined for a value that is none of ours: it is replaced by the next registration. */
export function decodeHostRecord(text: string): HostRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(value) || typeof value['uuid'] !== 'string') return undefined;
  const engine = value['engine'];
  const { version, epoch } = value;
  return {
    uuid: value['uuid'],
    version: typeof version === 'string' ? version : '',
    ...(typeof epoch === 'string' ? { epoch } : {}),
    ...(isObject(engine) &&
    typeof engine['id'] === 'string' &&
    typeof engine['version'] === 'string'
      ? { engine: { id: engine['id'], version: engine['version'] } }
      : {}),
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
