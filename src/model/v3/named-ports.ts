import type { NamedPort } from '../policy.js';
import { isObject, type JsonObject } from './json.js';
import { stringOf } from './resource.js';

/** The ports of a stored endpoint that rules can name; Calico drops those without name, too. */
export function readNamedPorts(spec: JsonObject): readonly NamedPort[] {
  const list = spec['ports'];
  if (!Array.isArray(list)) return [];
  return list.filter(isObject).flatMap((item) => {
    const { protocol, port } = item;
    const name = stringOf(item, 'name');
    const known = typeof protocol === 'string' || typeof protocol === 'number';
    return name === '' || !known || typeof port !== 'number' ? [] : [{ name, protocol, port }];
  });
}
