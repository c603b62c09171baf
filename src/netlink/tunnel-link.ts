import {
  IFF_UP,
  IFLA_ADDRESS,
  IFLA_IFNAME,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_LINKINFO,
  IFLA_MTU,
  linkHeader,
  RTM_NEWLINK,
} from './link.js';
import type { VxlanSpec } from './port.js';
import type { NetlinkRequest } from './request.js';
import {
  byteAttribute,
  bytesAttribute,
  macBytes,
  nest,
  NLM_F_CREATE,
  NLM_F_ECHO,
  NLM_F_EXCL,
  numberAttribute,
  portAttribute,
  textAttribute,
} from './wire.js';
import {
  VXLAN_ID,
  VXLAN_LEARNING,
  VXLAN_LINK,
  VXLAN_LOCAL,
  VXLAN_LOCAL6,
  VXLAN_PORT,
} from './vxlan.js';

/** The device comes up with the same message: another program that has the port is noticed at once. */
export function createVxlanRequest(spec: VxlanSpec): NetlinkRequest {
  const { name, id, port, local, linkIndex, learning, mac, mtu } = spec;
  return {
    what: `cannot create VXLAN device ${name} on UDP port ${port}`,
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL | NLM_F_ECHO,
    parts: [
      linkHeader(0, IFF_UP, IFF_UP),
      textAttribute(IFLA_IFNAME, name),
      bytesAttribute(IFLA_ADDRESS, macBytes(mac)),
      numberAttribute(IFLA_MTU, mtu),
      nest(
        IFLA_LINKINFO,
        textAttribute(IFLA_INFO_KIND, 'vxlan'),
        nest(
          IFLA_INFO_DATA,
          numberAttribute(VXLAN_ID, id),
          ...(linkIndex === 0 ? [] : [numberAttribute(VXLAN_LINK, linkIndex)]),
          ...(local === undefined
            ? []
            : [bytesAttribute(local.family === 4 ? VXLAN_LOCAL : VXLAN_LOCAL6, local.bytes())]),
          byteAttribute(VXLAN_LEARNING, learning ? 1 : 0),
          portAttribute(VXLAN_PORT, port),
        ),
      ),
    ],
  };
}

/** Without an address on either side: for `tunl0` that is the module's own fallback device. */
export function createIpipRequest(name: string): NetlinkRequest {
  return {
    what: `cannot create IPIP device ${name}`,
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    parts: [
      linkHeader(),
      textAttribute(IFLA_IFNAME, name),
      nest(IFLA_LINKINFO, textAttribute(IFLA_INFO_KIND, 'ipip')),
    ],
  };
}
