import { Fault } from '../base/index.js';
import { Address, bitsOf, Cidr, type Family } from '../model/index.js';
import {
  detectAddress,
  isUsable,
  type Detection,
  type DetectionMethod,
  type HostView,
} from './detect-address.js';

/** `IP` and `IP6` in parsed form. `unset` keeps what the Node has. */
export type AddressSetting =
  | { readonly kind: 'unset' }
  | { readonly kind: 'autodetect' }
  | { readonly kind: 'none' }
  | { readonly kind: 'fixed'; readonly address: Address; readonly prefix?: number };

/** Something to be told about the addresses; each is said in the log and in `status`. */
export interface NodeWarning {
  readonly reason: NodeWarningReason;
  readonly message: string;
}

export type NodeWarningReason =
  | 'no-address'
  | 'address-kept'
  | 'address-not-on-host'
  | 'address-of-other-node'
  | 'host-replaced'
  | 'pool-overlaps-host'
  | 'no-room-for-default-pool'
  | 'datastore-locked';

export interface ChosenAddress {
  /** As a Node stores it, `192.0.2.10/24`; undefined when the node shall have none. */
  readonly text?: string;
  readonly origin: 'kept' | 'detected' | 'set' | 'none';
  readonly warning?: NodeWarning;
}

export interface AddressChoice {
  readonly family: Family;
  readonly setting: AddressSetting;
  readonly method: DetectionMethod;
  /** What the Node has now. */
  readonly current?: string;
  readonly view: HostView;
  /** Answer of the kernel for `can-reach`. */
  readonly source?: Address;
}

/** Reads `IP` or `IP6`; `setting` names the variable in messages. */
export function parseAddressSetting(text: string, family: Family, setting: string): AddressSetting {
  const value = text.trim();
  if (value === '') return { kind: 'unset' };
  if (value === 'autodetect' || value === 'none') return { kind: value };
  const withLength = Cidr.tryParseInterface(value);
  const address = withLength?.address ?? Address.tryParse(value);
  if (address === undefined || address.family !== family || !isUsable(address)) {
    const message = `${setting} is "${value}"; use an IPv${family} address, autodetect or none`;
    throw new Fault('invalid', message, { reason: 'bad-setting' });
  }
  return { kind: 'fixed', address, ...(withLength ? { prefix: withLength.cidr.prefix } : {}) };
}

/**
 * Which address of one family the Node gets. Rules are Calico's: an unset `IP` keeps the Node's address
 * or detects one, an unset `IP6` means none is looked for. A failed detection keeps an old address, and
 * nothing found is a warning, not an error: containers of one host can do without.
 */
export function chooseAddress(choice: AddressChoice): ChosenAddress {
  const { setting, current, family, view } = choice;
  switch (setting.kind) {
    case 'none':
      return { origin: 'none' };
    case 'fixed':
      return { text: `${setting.address}/${prefixFor(setting, family, view)}`, origin: 'set' };
    case 'unset':
      if (current !== undefined) return keep(current, view, family);
      return family === 6 ? { origin: 'none' } : detected(choice);
    case 'autodetect':
      return detected(choice);
  }
}

function prefixFor(
  setting: { readonly address: Address; readonly prefix?: number },
  family: Family,
  view: HostView,
): number {
  if (setting.prefix !== undefined) return setting.prefix;
  const holder = view.addresses.find((entry) => entry.address.equals(setting.address));
  return holder?.prefix ?? bitsOf(family);
}

function keep(current: string, view: HostView, family: Family): ChosenAddress {
  if (isOnHost(current, view)) return { text: current, origin: 'kept' };
  const variable = family === 4 ? 'IP' : 'IP6';
  const message =
    `the Node has ${current}, which no interface of this host has; ` +
    `kept, because ${variable} is not set: set ${variable}=autodetect or the right address`;
  return { text: current, origin: 'kept', warning: { reason: 'address-not-on-host', message } };
}

function detected(choice: AddressChoice): ChosenAddress {
  const result: Detection = detectAddress(choice.method, choice.family, choice.view, choice.source);
  if (result.ok)
    return { text: `${result.found.address}/${result.found.prefix}`, origin: 'detected' };
  const { current } = choice;
  const variable = choice.family === 4 ? 'IP' : 'IP6';
  if (current !== undefined) {
    // A network that comes up later than we do must not take the node out of everybody's mesh meanwhile.
    const onHost = isOnHost(current, choice.view);
    const state = onHost ? 'is still on this host' : 'is on no interface now';
    const message = `${result.message}; the Node's ${current}, which ${state}, is kept: or set ${variable}=ADDRESS/LENGTH`;
    const reason = onHost ? 'address-kept' : 'address-not-on-host';
    return { text: current, origin: 'kept', warning: { reason, message } };
  }
  const message = `${result.message}; other hosts cannot reach this one: set ${variable}=ADDRESS/LENGTH`;
  return { origin: 'none', warning: { reason: 'no-address', message } };
}

function isOnHost(text: string, view: HostView): boolean {
  const address = addressOf(text);
  return address !== undefined && view.addresses.some((entry) => entry.address.equals(address));
}

/** The address of `192.0.2.10/24` or `192.0.2.10`, the two forms found in stored Nodes. */
export function addressOf(text: string): Address | undefined {
  return Cidr.tryParseInterface(text)?.address ?? Address.tryParse(text);
}
