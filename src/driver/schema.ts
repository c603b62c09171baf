import { Type } from 'typebox';

/** Bodies of NetworkDriver calls (plugin protocol §2.1). Go sends nil maps and slices as null; new engines add members. */
const Id = Type.String({ minLength: 1, maxLength: 128, pattern: '^[0-9A-Za-z_.-]+$' });
/** Part of it becomes the name of an interface, which goes into rules and paths. */
const InterfaceId = Type.String({ minLength: 1, maxLength: 128, pattern: '^[0-9A-Za-z_-]+$' });
const Text = Type.String({ maxLength: 4096 });
const orNull = <T extends Parameters<typeof Type.Optional>[0]>(schema: T) =>
  Type.Optional(Type.Union([schema, Type.Null()]));
const Options = orNull(Type.Record(Type.String(), Type.Unknown()));

const IpamData = Type.Object({
  AddressSpace: orNull(Text),
  Pool: orNull(Text),
  Gateway: orNull(Text),
  AuxAddresses: orNull(Type.Record(Type.String(), Type.Unknown())),
});
export type IpamData = Type.Static<typeof IpamData>;

export const CreateNetworkBody = Type.Object({
  NetworkID: Id,
  Options,
  IPv4Data: orNull(Type.Array(IpamData)),
  IPv6Data: orNull(Type.Array(IpamData)),
});
export type CreateNetworkBody = Type.Static<typeof CreateNetworkBody>;

export const NetworkBody = Type.Object({ NetworkID: Id });
export type NetworkBody = Type.Static<typeof NetworkBody>;

export const EndpointBody = Type.Object({ NetworkID: Id, EndpointID: Id });
export type EndpointBody = Type.Static<typeof EndpointBody>;

export const ProgramBody = Type.Object({ NetworkID: Id, EndpointID: Id, Options });
export type ProgramBody = Type.Static<typeof ProgramBody>;

export const CreateEndpointBody = Type.Object({
  NetworkID: Id,
  EndpointID: InterfaceId,
  Interface: orNull(
    Type.Object({ Address: orNull(Text), AddressIPv6: orNull(Text), MacAddress: orNull(Text) }),
  ),
  Options,
});
export type CreateEndpointBody = Type.Static<typeof CreateEndpointBody>;

export const JoinBody = Type.Object({ NetworkID: Id, EndpointID: Id, SandboxKey: Text, Options });
export type JoinBody = Type.Static<typeof JoinBody>;

export const AllocateNetworkBody = Type.Object({ NetworkID: Id, Options });
export type AllocateNetworkBody = Type.Static<typeof AllocateNetworkBody>;
