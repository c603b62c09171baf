import { Address } from '../model/index.js';
import type { VxlanTraits } from './port.js';
import { decodeAttributes, numberOf } from './wire.js';

/** Members of IFLA_INFO_DATA of a VXLAN device (linux/if_link.h). */
export const VXLAN_ID = 1;
export const VXLAN_LINK = 3;
export const VXLAN_LOCAL = 4;
export const VXLAN_LEARNING = 7;
export const VXLAN_PORT = 15;
export const VXLAN_LOCAL6 = 17;

/** The traits in the kernel's description of a VXLAN device. */
export function decodeVxlan(data: Buffer | undefined): VxlanTraits {
  const attributes = decodeAttributes(data ?? Buffer.alloc(0));
  const local = attributes.get(VXLAN_LOCAL) ?? attributes.get(VXLAN_LOCAL6);
  const port = attributes.get(VXLAN_PORT);
  return {
    id: numberOf(attributes.get(VXLAN_ID)) ?? 0,
    port: port === undefined || port.length < 2 ? 0 : port.readUInt16BE(0),
    ...(local === undefined ? {} : { local: Address.fromBytes(local) }),
    linkIndex: numberOf(attributes.get(VXLAN_LINK)) ?? 0,
    learning: attributes.get(VXLAN_LEARNING)?.[0] === 1,
  };
}
