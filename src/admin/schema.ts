import { Type } from 'typebox';

/** Revisions are 64-bit: decimal strings on the wire. */
const Revision = Type.String({ pattern: '^[0-9]{1,19}$' });
const closed = { additionalProperties: false };
const list = { maxItems: 10_000 };

export const GetBody = Type.Object({ key: Type.String() }, closed);
export const GetManyBody = Type.Object({ keys: Type.Array(Type.String(), list) }, closed);
export const ListBody = Type.Object({ prefixes: Type.Array(Type.String(), list) }, closed);
export const CommitBody = Type.Object(
  {
    compares: Type.Array(Type.Object({ key: Type.String(), revision: Revision }, closed), list),
    writes: Type.Array(
      Type.Object({ key: Type.String(), value: Type.Union([Type.String(), Type.Null()]) }, closed),
      list,
    ),
    reads: Type.Optional(Type.Array(Type.String(), list)),
  },
  closed,
);
export const WatchBody = Type.Object(
  { prefixes: Type.Array(Type.String(), list), from: Revision },
  closed,
);

export type GetRequest = Type.Static<typeof GetBody>;
export type GetManyRequest = Type.Static<typeof GetManyBody>;
export type ListRequest = Type.Static<typeof ListBody>;
export type CommitRequest = Type.Static<typeof CommitBody>;
export type WatchRequest = Type.Static<typeof WatchBody>;
