import type { Address } from '../model/index.js';
import { addressFamilyOf } from './family.js';
import type { NetlinkRequest } from './request.js';
import { bytesAttribute, macBytes, NLM_F_CREATE, NLM_F_REPLACE } from './wire.js';

const RTM_NEWNEIGH = 28;
const NDMSG_SIZE = 12;
const NUD_PERMANENT = 0x80;
const NDA_DST = 1;
const NDA_LLADDR = 2;

export function replaceNeighbourRequest(
  index: number,
  address: Address,
  mac: string,
): NetlinkRequest {
  const header = Buffer.alloc(NDMSG_SIZE);
  header.writeUInt8(addressFamilyOf(address.family), 0);
  header.writeInt32LE(index, 4);
  header.writeUInt16LE(NUD_PERMANENT, 8);
  return {
    what: `cannot set neighbour ${address} on link ${index}`,
    type: RTM_NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    parts: [
      header,
      bytesAttribute(NDA_DST, address.bytes()),
      bytesAttribute(NDA_LLADDR, macBytes(mac)),
    ],
  };
}
