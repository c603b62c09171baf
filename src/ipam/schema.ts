import { Type } from 'typebox';

/** Bodies of IpamDriver calls (plugin protocol §2.2). Go sends nil maps as null; new engines add members. */
const Text = Type.String({ maxLength: 4096 });
const Options = Type.Optional(
  Type.Union([Type.Record(Type.String(), Type.Union([Type.String(), Type.Null()])), Type.Null()]),
);

export const RequestPoolBody = Type.Object({
  AddressSpace: Type.Optional(Text),
  Pool: Type.Optional(Text),
  SubPool: Type.Optional(Text),
  Options,
  V6: Type.Optional(Type.Boolean()),
});
export type RequestPoolBody = Type.Static<typeof RequestPoolBody>;

export const ReleasePoolBody = Type.Object({ PoolID: Text });
export type ReleasePoolBody = Type.Static<typeof ReleasePoolBody>;

export const RequestAddressBody = Type.Object({
  PoolID: Text,
  Address: Type.Optional(Text),
  Options,
});
export type RequestAddressBody = Type.Static<typeof RequestAddressBody>;

export const ReleaseAddressBody = Type.Object({ PoolID: Text, Address: Text });
export type ReleaseAddressBody = Type.Static<typeof ReleaseAddressBody>;
