import type { RecordJournal } from '../base/index.js';
import type { Address, LocalEndpoint, PublishedPort, WorkloadEndpoint } from '../model/index.js';

/** An endpoint of this host, as the driver keeps it between calls. */
export interface EndpointRecord {
  /** Docker's EndpointID. */
  readonly id: string;
  readonly networkId: string;
  readonly endpoint: WorkloadEndpoint;
  readonly key: string;
  /** 0: it is not in the datastore, where somebody else has its address. */
  readonly revision: bigint;
  /** The stored text. */
  readonly text: string;
  readonly interfaceIndex: number;
  /** The profile was chosen before the network's name was known. */
  readonly provisional: boolean;
  /** Docker's SandboxKey while joined, else empty. */
  readonly sandboxKey: string;
  /** Number of its gateway address within the sandbox, from 1; 0 while not joined. */
  readonly slot: number;
  /** Where members of its network are, as CIDRs. */
  readonly subnets: readonly string[];
  /** Those of them that its Join routed through its own gateway; to the rest the default route leads. */
  readonly routed: readonly string[];
  /** Its interface is on the way out. */
  readonly going: boolean;
  /** The IPAM handle of each address, as far as it is known. */
  readonly handles: Readonly<Record<string, string>>;
  /** Ports of this host that lead to it. */
  readonly published: readonly PublishedPort[];
}

/** A joined endpoint of this boot as its file tells it: enough to put it back into a datastore that lacks it. */
export interface FiledEndpoint {
  readonly id: string;
  readonly networkId: string;
  /** The object as it was stored last. */
  readonly text: string;
  readonly handles: Readonly<Record<string, string>>;
}

/** An interface of this boot whose endpoint the store does not know: a container may be using it all the same. */
export interface StrayEndpoint {
  readonly id: string;
  /** 0: it has no interface any more. */
  readonly interfaceIndex: number;
  readonly addresses: readonly string[];
  /** A container had it: it was joined. */
  readonly joined: boolean;
}

/** What a restart of the daemon needs and the datastore does not have. */
interface BootRecord {
  readonly addresses: readonly string[];
  readonly networkId: string;
  readonly sandboxKey: string;
  readonly slot: number;
  readonly subnets: readonly string[];
  readonly routed: readonly string[];
  readonly provisional: boolean;
  readonly text: string;
  readonly handles: Readonly<Record<string, string>>;
  readonly published: readonly PublishedPort[];
}

/** Endpoints of this host, by id, by address and by sandbox; join state is kept on file until the next boot. */
export class EndpointBook {
  readonly #byId = new Map<string, EndpointRecord>();
  readonly #byAddress = new Map<string, string>();
  readonly #byInterface = new Map<string, string>();
  readonly #bySandbox = new Map<string, Set<string>>();
  readonly #strays = new Map<string, StrayEndpoint>();
  readonly #files: RecordJournal;
  /** As they were at the start. */
  readonly #stored: Map<string, unknown>;

  constructor(files: RecordJournal) {
    this.#files = files;
    this.#stored = new Map(files.all());
  }

  get(id: string): EndpointRecord | undefined {
    return this.#byId.get(id);
  }

  all(): readonly EndpointRecord[] {
    return [...this.#byId.values()];
  }

  holding(address: Address): EndpointRecord | undefined {
    const id = this.#byAddress.get(address.toString());
    return id === undefined ? undefined : this.#byId.get(id);
  }

  /** The endpoint that has the host interface of this name. */
  withInterface(name: string): EndpointRecord | undefined {
    return this.#byId.get(this.#byInterface.get(name) ?? '');
  }

  /** Endpoints of one container. */
  inSandbox(sandboxKey: string): readonly EndpointRecord[] {
    const ids = this.#bySandbox.get(sandboxKey) ?? [];
    return [...ids].flatMap((id) => this.#byId.get(id) ?? []);
  }

  put(record: EndpointRecord): void {
    this.#unlink(this.#byId.get(record.id));
    this.#byId.set(record.id, record);
    this.#byInterface.set(record.endpoint.interfaceName, record.id);
    for (const address of record.endpoint.addresses)
      this.#byAddress.set(address.toString(), record.id);
    if (record.sandboxKey === '') return;
    const members = this.#bySandbox.get(record.sandboxKey) ?? new Set();
    this.#bySandbox.set(record.sandboxKey, members.add(record.id));
  }

  /** Writes what the next start of the daemon needs to know, and gives it. */
  persist(record: EndpointRecord): unknown {
    const { networkId, sandboxKey, slot, subnets, routed, provisional } = record;
    const { text, handles, published } = record;
    const addresses = record.endpoint.addresses.map(String);
    const where = { addresses, networkId, sandboxKey, slot, subnets, routed, provisional };
    const boot: BootRecord = { ...where, text, handles, published };
    this.#files.write(record.id, boot);
    return boot;
  }

  /** An interface is about to be made: whatever happens then, the next start finds it. */
  announce(
    id: string,
    networkId: string,
    provisional: boolean,
    addresses: readonly Address[],
  ): void {
    const boot: Partial<BootRecord> = { addresses: addresses.map(String), networkId, provisional };
    this.#files.write(id, boot);
  }

  /** Nothing came of what was announced. */
  withdrawAnnouncement(id: string): void {
    if (!this.#byId.has(id)) this.#files.remove(id);
  }

  remove(id: string): void {
    const record = this.#byId.get(id);
    this.#unlink(record);
    this.#byId.delete(id);
    if (record !== undefined) this.#files.remove(id);
  }

  /** A stored endpoint at the start of the daemon. */
  restore(
    stored: Pick<
      EndpointRecord,
      'id' | 'endpoint' | 'key' | 'revision' | 'text' | 'interfaceIndex'
    >,
  ): void {
    const boot = (this.#stored.get(stored.id) ?? {}) as Partial<BootRecord>;
    this.put({
      ...stored,
      networkId: boot.networkId ?? '',
      provisional: boot.provisional ?? false,
      sandboxKey: boot.sandboxKey ?? '',
      slot: boot.slot ?? 0,
      subnets: boot.subnets ?? [],
      routed: boot.routed ?? [],
      going: false,
      handles: boot.handles ?? {},
      published: boot.published ?? [],
    });
  }

  /** Joined endpoints whose files lack the object: the version before wrote them. */
  incomplete(): readonly EndpointRecord[] {
    return [...this.#stored].flatMap(([id, file]) => {
      const { sandboxKey = '', text } = file as Partial<BootRecord>;
      return sandboxKey === '' || text !== undefined ? [] : (this.#byId.get(id) ?? []);
    });
  }

  /** Such a one, with all that is known of it. */
  complete(record: EndpointRecord): void {
    this.put(record);
    this.#stored.set(record.id, this.persist(record));
  }

  /** Joined endpoints of this boot that an earlier life of the daemon left. */
  filed(): readonly FiledEndpoint[] {
    return [...this.#stored].flatMap(([id, file]) => {
      const { networkId, sandboxKey = '', text, handles } = file as Partial<BootRecord>;
      if (networkId === undefined || sandboxKey === '' || text === undefined) return [];
      return [{ id, networkId, text, handles: handles ?? {} }];
    });
  }

  /** Files of this boot whose endpoints the store does not know. */
  unknown(indexOf: (id: string) => number): readonly StrayEndpoint[] {
    return [...this.#stored]
      .filter(([id]) => !this.#byId.has(id))
      .map(([id, file]) => {
        const { addresses = [], sandboxKey = '' } = file as Partial<BootRecord>;
        return { id, interfaceIndex: indexOf(id), addresses, joined: sandboxKey !== '' };
      });
  }

  keepStray(stray: StrayEndpoint): void {
    this.#strays.set(stray.id, stray);
  }

  stray(id: string): StrayEndpoint | undefined {
    return this.#strays.get(id);
  }

  strayWith(address: Address): StrayEndpoint | undefined {
    if (this.#strays.size === 0) return undefined;
    const text = address.toString();
    return [...this.#strays.values()].find(({ addresses }) => addresses.includes(text));
  }

  removeStray(id: string): void {
    this.#strays.delete(id);
    this.#files.remove(id);
  }

  #unlink(record: EndpointRecord | undefined): void {
    if (record === undefined) return;
    const { interfaceName } = record.endpoint;
    if (this.#byInterface.get(interfaceName) === record.id) this.#byInterface.delete(interfaceName);
    for (const address of record.endpoint.addresses) {
      if (this.#byAddress.get(address.toString()) === record.id)
        this.#byAddress.delete(address.toString());
    }
    const members = this.#bySandbox.get(record.sandboxKey);
    members?.delete(record.id);
    if (members?.size === 0) this.#bySandbox.delete(record.sandboxKey);
  }
}

/** The endpoint as the agent has to wire and protect it. */
export function localEndpoint(record: EndpointRecord): LocalEndpoint {
  const { id, networkId, interfaceIndex, sandboxKey, published, endpoint } = record;
  const { interfaceName, addresses, mac, namespace, profiles, labels } = endpoint;
  return {
    ...{ id, networkId, interfaceName, interfaceIndex, addresses, mac, namespace },
    ...{ profiles, labels, sandboxKey, published },
  };
}
