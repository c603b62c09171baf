import { Type } from 'typebox';
import { parseCommunity } from '../bgp.js';
import { formatDuration, parseDuration } from '../duration.js';
import { cell } from './kind.js';
import type { JsonObject } from './json.js';
import type { Problem } from './problem.js';
import { stringOf } from './resource.js';
import { toAsNumber } from './stored-node.js';

/** What the three BGP kinds share: AS numbers, durations, communities and where a password stands. */

export const optionalText = Type.Optional(Type.String());
export const asNumberShape = Type.Union([Type.Integer(), Type.String()]);
/** Calico stores it also when it is zero. */
export const asNumberPointer = Type.Optional(
  Type.Union([Type.Integer(), Type.String()], { always: true }),
);
export const countPointer = Type.Optional(Type.Integer({ always: true }));
export const passwordShape = Type.Optional(
  Type.Object({
    secretKeyRef: Type.Optional(
      Type.Object({
        name: optionalText,
        key: Type.String({ always: true }),
        optional: Type.Optional(Type.Boolean({ always: true })),
      }),
    ),
  }),
);

/** The member as a number, where it is an AS number in text. */
export function completeAsNumber(object: JsonObject, member: string): void {
  const asNumber = toAsNumber(object[member]);
  if (asNumber !== undefined) object[member] = asNumber;
}

/** The member as Go writes durations: `90m` becomes `1h30m0s`. */
export function completeDuration(object: JsonObject, member: string): void {
  const duration = parseDuration(stringOf(object, member));
  if (duration !== undefined) object[member] = formatDuration(duration);
}

export function checkAsNumber(field: string, value: unknown): Problem[] {
  if (value === undefined || toAsNumber(value) !== undefined) return [];
  const reason = 'an AS number is 0 to 4294967295, or two parts up to 65535 with a dot between';
  return [{ field, value: cell(value), reason }];
}

export function checkDuration(field: string, value: unknown): Problem[] {
  if (value === undefined || parseDuration(cell(value)) !== undefined) return [];
  return [{ field, value: cell(value), reason: 'must be a duration such as 90s or 1m30s' }];
}

export const COMMUNITY_FORM =
  'a community is aa:nn with parts up to 65535, or aa:nn:mm with parts up to 4294967295';

export function checkCommunity(field: string, value: string): Problem[] {
  return parseCommunity(value) === undefined ? [{ field, value, reason: COMMUNITY_FORM }] : [];
}

/** A whole number within bounds, when it is given. */
export function checkRange(
  field: string,
  value: unknown,
  [least, most]: readonly [number, number],
): Problem[] {
  if (value === undefined) return [];
  if (typeof value === 'number' && value >= least && value <= most) return [];
  return [{ field, value: cell(value), reason: `must be ${least} to ${most}` }];
}
