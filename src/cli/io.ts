import type { Containers, CountersAnswer, CountersRequest, FlowsAnswer } from '../admin/index.js';
import type { BirdProtocol } from '../bird/index.js';
import type { ConfigInputs } from '../config/index.js';
import type { Store } from '../datastore/index.js';

/** A file or folder as the command line needs it. */
export interface FileSource {
  /** The text; throws `invalid` when it cannot be read or is too large. */
  readText(path: string): Promise<string>;
  /** Paths of the manifests in a folder, sorted; undefined when the path is no folder. */
  listManifests(path: string, recursive: boolean): Promise<readonly string[] | undefined>;
  readStdin(): Promise<string>;
  exists(path: string): boolean;
}

/** Everything outside that a command touches; tests pass their own. */
export interface Io {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Width of the terminal, for help. */
  readonly columns: number;
  readonly files: FileSource;
  readonly inputs: Omit<ConfigInputs, 'argv'>;
  readonly now: () => Date;
  readonly newUid: () => string;
  /** Milliseconds that other hosts get to see a pool disabled before its blocks are released. */
  readonly poolGraceMs: number;
  /** Opens the datastore that the options and the configuration name. */
  readonly openStore: (options: StoreOptions) => Promise<Store>;
  /** What the daemon of this host says about itself. */
  readonly readStatus: (socket?: string) => Promise<unknown>;
  /** What the rules of an endpoint of this host have counted. */
  readonly readCounters: (endpoint: CountersRequest) => Promise<CountersAnswer>;
  /** The connections of this host's containers. */
  readonly readFlows: () => Promise<FlowsAnswer>;
  /** What the daemon of this host does with containers. */
  readonly containers: Containers;
  /** Protocols of the BIRD that listens at a path; throws `unavailable` when none does. */
  readonly showProtocols: (path: string) => Promise<readonly BirdProtocol[]>;
  /** Fires when the command shall end. */
  readonly signal?: AbortSignal;
}

export interface StoreOptions {
  /** `-c`, the file with the connection; calicoctl's default place when absent. */
  readonly config?: string;
  readonly logLevel?: string;
  /** The embedded datastore may be one that no daemon has open: then it is opened directly. */
  readonly unused?: boolean;
}
