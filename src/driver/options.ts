import { Fault } from '../base/index.js';

/** Options of `docker network create -o` that mean something here, with what they do. */
export const networkOptions: Readonly<Record<string, string>> = {
  profile: 'name of the Calico profile for its endpoints instead of the network’s own',
  mtu: 'MTU of its interfaces',
  'com.docker.network.driver.mtu': 'the same, in Docker’s spelling',
};

/** Options of `docker network connect --driver-opt` and Compose `driver_opts`. */
export const endpointOptions: Readonly<Record<string, string>> = {
  profile: 'name of the Calico profile for this endpoint',
};

/** What follows it is a label of the endpoint, as with labels of containers, but known from the begin. */
const LABEL_PREFIX = 'org.projectcalico.label.';

export interface NetworkOptions {
  readonly internal: boolean;
  /** Docker's generic options as the user gave them. */
  readonly generic: Readonly<Record<string, string>>;
  readonly profile: string | undefined;
  readonly mtu: number | undefined;
}

const GENERIC = 'com.docker.network.generic';
const INTERNAL = 'com.docker.network.internal';

/** Throws `invalid` naming every unknown option and the valid ones. */
export function readNetworkOptions(options: Readonly<Record<string, unknown>>): NetworkOptions {
  const generic = stringMap(options[GENERIC]);
  refuseUnknown('network option', Object.keys(generic), networkOptions);
  return {
    internal: options[INTERNAL] === true || options[INTERNAL] === 'true',
    generic,
    profile: readProfile(generic['profile']),
    mtu: readMtu(generic['mtu'] ?? generic['com.docker.network.driver.mtu']),
  };
}

/** Keys that belong to Docker are passed over; others must be ours. */
export function readEndpointOptions(options: Readonly<Record<string, unknown>>): {
  readonly profile: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
} {
  const own = Object.keys(options).filter((name) => !name.startsWith('com.docker.'));
  const isLabel = (name: string): boolean => name.startsWith(LABEL_PREFIX);
  refuseUnknown(
    'endpoint option',
    own.filter((name) => !isLabel(name)),
    endpointOptions,
  );
  const { profile } = options;
  const labels = own
    .filter(isLabel)
    .map((name) => readLabel(name.slice(LABEL_PREFIX.length), options[name]));
  return {
    profile: readProfile(typeof profile === 'string' ? profile : undefined),
    labels: Object.fromEntries(labels),
  };
}

const LABEL_KEY =
  /^(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^(?:[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?)?$/;

/** The two that Calico forces are overwritten whatever is said here. */
function readLabel(key: string, value: unknown): readonly [string, string] {
  if (typeof value === 'string' && LABEL_KEY.test(key) && LABEL_VALUE.test(value)) {
    return [key, value];
  }
  throw new Fault(
    'invalid',
    `endpoint option ${LABEL_PREFIX}${key.slice(0, 80)}=${String(value).slice(0, 80)} is no label: at most 63 letters, digits, "-", "_" or "." between letters or digits`,
    { reason: 'bad-option' },
  );
}

function refuseUnknown(
  what: string,
  given: readonly string[],
  valid: Readonly<Record<string, string>>,
): void {
  const unknown = given.filter((name) => !Object.hasOwn(valid, name));
  if (unknown.length === 0) return;
  throw new Fault(
    'invalid',
    `unknown ${what} ${unknown.join(', ')}; valid are ${Object.keys(valid).join(', ')}`,
    {
      reason: 'unknown-option',
    },
  );
}

function readProfile(name: string | undefined): string | undefined {
  if (name === undefined || name === '') return undefined;
  if (/^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/.test(name)) return name;
  throw new Fault(
    'invalid',
    `profile "${name.slice(0, 80)}" is no object name: lower-case letters, digits, "-" and "."`,
    {
      reason: 'bad-option',
    },
  );
}

function readMtu(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const mtu = Number(text);
  if (/^\d{3,5}$/.test(text) && mtu >= 576 && mtu <= 65_535) return mtu;
  throw new Fault('invalid', `MTU "${text.slice(0, 20)}" is no number between 576 and 65535`, {
    reason: 'bad-option',
  });
}

function stringMap(value: unknown): Record<string, string> {
  const result: Record<string, string> = {};
  if (typeof value !== 'object' || value === null) return result;
  for (const [name, member] of Object.entries(value))
    if (typeof member === 'string') result[name] = member;
  return result;
}

/** Docker's network has addresses of another IPAM driver, or of none. */
export function otherIpam(
  names: { readonly driver: string; readonly ipamDriver: string },
  space: string | null | undefined,
): Fault {
  return new Fault(
    'invalid',
    `the ${names.driver} driver needs the ${names.ipamDriver} IPAM driver, the network has ${space === null || space === undefined || space === '' ? 'none' : `addresses of "${space.slice(0, 40)}"`}; ` +
      `use both: docker network create --driver ${names.driver} --ipam-driver ${names.ipamDriver} NAME`,
    { reason: 'other-ipam' },
  );
}
