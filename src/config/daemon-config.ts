import { Fault, messageOf, type LogLevel } from '../base/index.js';
import { readDatastoreConfig, type DatastoreConfig } from './datastore-config.js';
import { parseDuration } from '../model/index.js';
import { parseEnvironmentFile } from './environment-file.js';
import type { ConfigInputs } from './inputs.js';
import { resolveNodeName, type NodeName } from './node-name.js';
import { nodeTexts, type NodeTexts } from './node-texts.js';
import type { Key, Settings } from './schema.js';
import { ERU_FILE, readValues, type ConfigProblem } from './values.js';

type Plain = Pick<
  Settings,
  | 'enabled'
  | 'stateDir'
  | 'runDir'
  | 'pluginDir'
  | 'driverName'
  | 'ipamDriverName'
  | 'namespace'
  | 'scope'
  | 'vethMtu'
  | 'interfacePrefix'
  | 'createProfiles'
  | 'labelEndpoints'
  | 'metricsPort'
  | 'metricsHost'
  | 'adminSocket'
  | 'dockerSocket'
  | 'procRoot'
  | 'bootWaitMs'
  | 'callTimeoutMs'
  | 'deleteTimeoutMs'
  | 'failpointFile'
  | 'dataplane'
  | 'networkingBackend'
  | 'plainRoutes'
  | 'bgpIncludeDir'
  | 'bgpPasswordFile'
  | 'bgpBfd'
  | 'routerId'
  | 'hostReach'
  | 'datastoreType'
>;

/** All settings of the daemon, read once at its start. */
export interface DaemonConfig extends Plain {
  readonly logLevel: LogLevel;
  readonly nodeName: NodeName;
  readonly reclaim: { readonly enabled: boolean; readonly minimumAgeMs: number };
  readonly node: NodeTexts;
  /** What calicoctl is configured for; `chooseStore` decides with the record of the last start. */
  readonly datastore: DatastoreConfig | undefined;
  /** `FELIX_*` variables, names in lower case without the prefix: they override FelixConfiguration. */
  readonly felix: Readonly<Record<string, string>>;
  /** Where each value came from. */
  readonly sources: Readonly<Record<Key, string>>;
}

export interface DaemonReading {
  /** Absent when something without a default is wrong. */
  readonly config?: DaemonConfig;
  readonly settings: Settings;
  readonly sources: Readonly<Record<Key, string>>;
  readonly problems: readonly ConfigProblem[];
}

/** Reads everything and lists everything that is wrong; throws nothing but defects. */
export function readDaemonConfig(given: ConfigInputs): DaemonReading {
  const problems: ConfigProblem[] = [];
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      problems.push({ severity: 'error', message: messageOf(error) });
      return undefined;
    }
  };
  const inputs = attempt(() => withEruFile(given)) ?? given;
  const { settings, sources, problems: found } = readValues(inputs);
  problems.push(...found);
  const setting = { name: settings.nodename, source: sources.nodename };
  const nodeName = attempt(() =>
    resolveNodeName(inputs, settings.stateDir, settings.nodename === '' ? undefined : setting),
  );
  const datastore = attempt(() => readDatastoreConfig(inputs, settings.datastoreConfig));
  problems.push(...crossChecks(settings));
  if (nodeName === undefined) return { settings, sources, problems };
  const config = assemble(settings, sources, nodeName, datastore, felixOf(inputs.env));
  return { config, settings, sources, problems };
}

/** The settings; throws `invalid` with all errors in one line when there are any. */
export function loadDaemonConfig(inputs: ConfigInputs): {
  readonly config: DaemonConfig;
  readonly warnings: readonly string[];
} {
  const { config, problems } = readDaemonConfig(inputs);
  const errors = problems.filter(({ severity }) => severity === 'error');
  if (config === undefined || errors.length > 0) {
    const all = errors.map(({ message }) => message).join('; ');
    throw new Fault('invalid', `the configuration is wrong: ${all}`, { reason: 'configuration' });
  }
  const warnings = problems.map(({ message }) => message);
  return { config, warnings };
}

/** The inputs with Eru's file below the environment: what is really set wins. */
export function withEruFile<T extends Pick<ConfigInputs, 'env' | 'readFile'>>(inputs: T): T {
  const text = inputs.readFile(ERU_FILE);
  if (text === undefined) return inputs;
  return { ...inputs, env: { ...parseEnvironmentFile(text), ...definedOf(inputs.env) } };
}

function definedOf(env: ConfigInputs['env']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
}

function felixOf(env: ConfigInputs['env']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(definedOf(env))
      .filter(([name]) => name.startsWith('FELIX_'))
      .map(([name, value]) => [name.slice('FELIX_'.length).toLowerCase(), value]),
  );
}

const FOLDERS = [
  ...(['stateDir', 'runDir', 'pluginDir', 'dockerSocket', 'procRoot'] as const),
  ...(['bgpIncludeDir', 'bgpPasswordFile'] as const),
];

function crossChecks(settings: Settings): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const error = (message: string): void => {
    problems.push({ severity: 'error', message });
  };
  for (const key of ['driverName', 'ipamDriverName'] as const) {
    if (!/^[a-z0-9][a-z0-9_.-]*$/i.test(settings[key])) {
      error(`${key} must be letters, digits, "_", "." and "-", found "${settings[key]}"`);
    }
  }
  if (!/^[a-z0-9][a-z0-9_.-]{0,11}$/i.test(settings.interfacePrefix)) {
    error(
      `interfacePrefix must have 1 to 12 letters or digits, found "${settings.interfacePrefix}"`,
    );
  }
  if (settings.namespace === '' || settings.namespace.includes('/')) {
    error(`namespace must be a name without "/", found "${settings.namespace}"`);
  }
  if (settings.vethMtu !== 0 && settings.vethMtu < 68) {
    error(`vethMtu must be 0 or at least 68, found ${settings.vethMtu}`);
  }
  if (!/^(?:|hash|\d{1,3}(?:\.\d{1,3}){3})$/.test(settings.routerId)) {
    error(`routerId must be an IPv4 address, hash or empty, found "${settings.routerId}"`);
  }
  for (const key of FOLDERS) {
    if (!settings[key].startsWith('/'))
      error(`${key} must be a full path, found "${settings[key]}"`);
  }
  return problems;
}

function assemble(
  settings: Settings,
  sources: DaemonConfig['sources'],
  nodeName: NodeName,
  datastore: DatastoreConfig | undefined,
  felix: Readonly<Record<string, string>>,
): DaemonConfig {
  return {
    ...settings,
    adminSocket: adminSocketOf(settings),
    nodeName,
    reclaim: {
      enabled: settings.reclaim,
      minimumAgeMs: parseDuration(settings['reclaim.minimumAge']) ?? 0,
    },
    node: nodeTexts(settings),
    datastore,
    felix,
    sources,
  };
}

/** Where the daemon listens for calicoctl. */
export function adminSocketOf(settings: Settings): string {
  return settings.adminSocket === '' ? `${settings.runDir}/admin.sock` : settings.adminSocket;
}
