import { Fault, messageOf } from '../base/index.js';
import { isObject, readYaml } from '../model/v3/index.js';
import type { ConfigInputs } from './inputs.js';

export const CALICOCTL_FILE = '/etc/calico/calicoctl.cfg';
const ENVIRONMENT = 'environment';

/** How etcd is reached. Texts are as configured; files are read by whoever connects. */
export interface EtcdConfig {
  readonly type: 'etcdv3';
  readonly endpoints: readonly string[];
  /** Domain whose SRV records name the endpoints; exclusive with `endpoints`. */
  readonly discoverySrv?: string;
  readonly username?: string;
  readonly password?: string;
  readonly keyFile?: string;
  readonly certFile?: string;
  readonly caCertFile?: string;
  /** Inline PEM; exclusive with the files. */
  readonly key?: string;
  readonly cert?: string;
  readonly caCert?: string;
  /** The file, or `environment`. */
  readonly source: string;
}

export interface EmbeddedConfig {
  readonly type: 'embedded';
  readonly source: string;
}

export type DatastoreConfig = EtcdConfig | EmbeddedConfig;

/** Members of `spec` in calicoctl's file, with the variable of those that have one (datamodel §4.1). */
const MEMBERS = {
  datastoreType: 'DATASTORE_TYPE',
  etcdEndpoints: 'ETCD_ENDPOINTS',
  etcdDiscoverySrv: 'ETCD_DISCOVERY_SRV',
  etcdUsername: 'ETCD_USERNAME',
  etcdPassword: 'ETCD_PASSWORD',
  etcdKeyFile: 'ETCD_KEY_FILE',
  etcdCertFile: 'ETCD_CERT_FILE',
  etcdCACertFile: 'ETCD_CA_CERT_FILE',
  etcdKey: undefined,
  etcdCert: undefined,
  etcdCACert: undefined,
} as const;
type Member = keyof typeof MEMBERS;
type Values = Partial<Record<Member, string>>;

/** Members for Kubernetes: known, so that they are not called unknown, and unused. */
const KUBERNETES = new Set(
  [
    'kubeconfig',
    'k8sAPIEndpoint',
    'k8sKeyFile',
    'k8sCertFile',
    'k8sCAFile',
    'k8sAPIToken',
    'k8sInsecureSkipTLSVerify',
    'k8sDisableNodePoll',
    'k8sUsePodCIDR',
    'k8sCurrentContext',
    'k8sClientQPS',
    'kubeconfigInline',
  ].map((name) => name.toLowerCase()),
);

/**
 * What calicoctl would connect to; undefined when nothing is configured. A file that exists is used
 * alone, without the environment; a file that was asked for must exist. Throws `invalid` for what
 * cannot be used and `unsupported` for the Kubernetes datastore.
 */
export function readDatastoreConfig(
  inputs: Pick<ConfigInputs, 'env' | 'readFile'>,
  path: string = CALICOCTL_FILE,
): DatastoreConfig | undefined {
  const text = readText(inputs, path);
  if (text === undefined && path !== CALICOCTL_FILE) {
    throw new Fault('invalid', `Error reading config file: ${path} does not exist`, {
      reason: 'datastore-config',
    });
  }
  return text === undefined
    ? interpret(fromEnvironment(inputs.env), ENVIRONMENT)
    : interpret(fromFile(text, path), path);
}

function readText(inputs: Pick<ConfigInputs, 'readFile'>, path: string): string | undefined {
  try {
    return inputs.readFile(path);
  } catch (error) {
    throw bad(`cannot read ${path}: ${messageOf(error)}`, error);
  }
}

function fromEnvironment(env: ConfigInputs['env']): Values {
  const values: Values = {};
  for (const [member, variable] of Object.entries(MEMBERS) as [Member, string | undefined][]) {
    if (variable === undefined) continue;
    const value = env[`CALICO_${variable}`] || env[variable];
    if (value !== undefined && value !== '') values[member] = value;
  }
  return values;
}

function fromFile(text: string, path: string): Values {
  const [document] = readYaml(text, path);
  if (document === undefined) return {};
  if (!isObject(document)) throw bad(`${path} holds no CalicoAPIConfig`);
  const { kind, apiVersion, metadata: _metadata, spec, ...rest } = document;
  const [stranger] = Object.keys(rest);
  if (stranger !== undefined) throw bad(`${path}: unknown field "${stranger}"`);
  if (kind !== 'CalicoAPIConfig' || apiVersion !== 'projectcalico.org/v3') {
    throw bad(`${path} must have kind: CalicoAPIConfig and apiVersion: projectcalico.org/v3`);
  }
  const values: Values = {};
  if (!isObject(spec)) return values;
  const names = Object.keys(MEMBERS) as Member[];
  for (const [name, value] of Object.entries(spec)) {
    const member = names.find((known) => known.toLowerCase() === name.toLowerCase());
    if (member !== undefined) {
      if (value !== null && value !== '') values[member] = String(value);
    } else if (!KUBERNETES.has(name.toLowerCase())) {
      throw bad(`${path}: unknown field "${name}"; valid: ${names.join(', ')}`);
    }
  }
  return values;
}

function interpret(values: Values, source: string): DatastoreConfig | undefined {
  const { datastoreType: type, etcdEndpoints, etcdDiscoverySrv } = values;
  const endpoints = (etcdEndpoints ?? '')
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
  if (type === 'embedded') return { type, source };
  if (type === 'kubernetes') {
    const message = `datastoreType kubernetes (from ${source}) is not offered: use etcdv3, or none for the embedded datastore`;
    throw new Fault('unsupported', message, { reason: 'datastore-config' });
  }
  if (type !== undefined && type !== 'etcdv3') {
    throw bad(`unknown datastore type: ${type} (from ${source}); use etcdv3 or embedded`);
  }
  if (endpoints.length === 0 && etcdDiscoverySrv === undefined) {
    if (type === undefined && source === ENVIRONMENT) return undefined;
    throw bad(`no etcd endpoints specified (from ${source}): set etcdEndpoints or ETCD_ENDPOINTS`);
  }
  if (endpoints.length > 0 && etcdDiscoverySrv !== undefined) {
    throw bad(`etcd endpoints and a discovery domain are both set (from ${source}): remove one`);
  }
  return toEtcd(values, endpoints, source);
}

function toEtcd(values: Values, endpoints: readonly string[], source: string): EtcdConfig {
  const inline = [values.etcdKey, values.etcdCert, values.etcdCACert];
  const files = [values.etcdKeyFile, values.etcdCertFile, values.etcdCACertFile];
  const isSet = (each: string | undefined): boolean => each !== undefined;
  if (inline.some(isSet) && files.some(isSet)) {
    throw bad(
      `inline certificates and certificate files are both set (from ${source}): keep one form`,
    );
  }
  for (const [key, cert] of [
    [inline[0], inline[1]],
    [files[0], files[1]],
  ] as const) {
    if (isSet(key) !== isSet(cert)) {
      throw bad(`etcd key and certificate belong together, one is missing (from ${source})`);
    }
  }
  const member = <K extends keyof EtcdConfig>(name: K, value: string | undefined) =>
    (value === undefined ? {} : { [name]: value }) as { [P in K]?: string };
  const both = isSet(values.etcdUsername) && isSet(values.etcdPassword);
  return {
    type: 'etcdv3',
    endpoints,
    ...member('discoverySrv', values.etcdDiscoverySrv),
    ...(both
      ? { ...member('username', values.etcdUsername), ...member('password', values.etcdPassword) }
      : {}),
    ...member('keyFile', values.etcdKeyFile),
    ...member('certFile', values.etcdCertFile),
    ...member('caCertFile', values.etcdCACertFile),
    ...member('key', values.etcdKey),
    ...member('cert', values.etcdCert),
    ...member('caCert', values.etcdCACert),
    source,
  };
}

function bad(message: string, cause?: unknown): Fault {
  return new Fault('invalid', message, { reason: 'datastore-config', cause });
}
