import { LosslessNumber, parse, stringify } from 'lossless-json';
import { Fault, messageOf } from '../base/index.js';

/** Sixteen characters of a number's alphabet in a row, or a large exponent: what a double may not hold. */
const MAY_LOSE_DIGITS = /\d[\d.eE+-]{15}|\d[eE][+-]?\d{3}/;
const INTEGER = /^-?\d+$/;

/**
 * A JSON text as a value without loss: integers beyond 2^53 become bigint (block sequence numbers and
 * revisions, which `JSON.parse` rounds), other numbers that a double cannot hold stay as text inside
 * a LosslessNumber, which `stringifyJson` writes back. Members keep their order, except that those
 * whose names are small integers come first, as in every JavaScript object. Of a repeated member the
 * last counts, as in Go. `what` names the value in the `corrupt` fault for a text that is not JSON.
 */
export function parseJson(text: string, what: string): unknown {
  try {
    // The native parser is about ten times as fast, and exact unless a long number is in the text.
    if (!MAY_LOSE_DIGITS.test(text)) return JSON.parse(text) as unknown;
    return parse(text, null, { parseNumber, onDuplicateKey: ({ newValue }) => newValue });
  } catch (error) {
    throw new Fault('corrupt', `${what} is not JSON: ${messageOf(error)}`, {
      reason: 'not-json',
      cause: error,
    });
  }
}

/** The compact JSON text of a value that may hold bigints; members that are undefined are left out. */
export function stringifyJson(value: unknown): string {
  const text = stringify(value);
  if (text === undefined)
    throw new Fault('internal', 'a value without a JSON form was to be stored');
  return text;
}

function parseNumber(text: string): number | bigint | LosslessNumber {
  const number = Number(text);
  if (INTEGER.test(text)) return Number.isSafeInteger(number) ? number : BigInt(text);
  return sameDigits(text, number) ? number : new LosslessNumber(text);
}

/** Whether the double's shortest form has the significant digits and the size of the text. */
function sameDigits(text: string, number: number): boolean {
  if (!Number.isFinite(number)) return false;
  const given = scientific(text);
  const kept = scientific(String(number));
  return given.digits === kept.digits && (given.digits === '' || given.exponent === kept.exponent);
}

function scientific(text: string): { readonly digits: string; readonly exponent: number } {
  const [mantissa = '', power = '0'] = text.toLowerCase().replace(/^-/, '').split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const all = (whole + fraction).replace(/^0+/, '');
  const leadingZeros = whole.length + fraction.length - all.length;
  return { digits: all.replace(/0+$/, ''), exponent: Number(power) + whole.length - leadingZeros };
}
