import { Fault } from '../../base/fault.js';
import { parseSelector } from '../selector.js';
import { isObjectName } from '../names.js';
import type { Metadata, Resource } from './resource.js';
import type { Problem } from './problem.js';

const QUALIFIED = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const MAX_ANNOTATIONS = 256 * 1024;

/** The rule of most kinds: a DNS-1123 subdomain. */
export function checkObjectName({ metadata }: Resource): Problem[] {
  if (isObjectName(metadata.name)) return [];
  return [
    {
      field: 'Metadata.Name',
      value: metadata.name,
      reason:
        "name must consist of lower case alphanumeric characters, '-' or '.', begin and end with one of the former, and have at most 253, such as 'my-pool.example'",
    },
  ];
}

/** Labels and annotations (datamodel §3.1). */
export function checkLabels(metadata: Metadata): Problem[] {
  const problems: Problem[] = [];
  for (const [key, value] of Object.entries(metadata.labels ?? {})) {
    if (!isLabelKey(key)) {
      problems.push({ field: 'Metadata.Labels (label)', value: key, reason: KEY_RULE });
    }
    if (!isLabelValue(value)) {
      problems.push({ field: 'Metadata.Labels (value)', value, reason: VALUE_RULE });
    }
  }
  let size = 0;
  for (const [key, value] of Object.entries(metadata.annotations ?? {})) {
    size += key.length + value.length;
    if (!isLabelKey(key.toLowerCase())) {
      problems.push({ field: 'Metadata.Annotations (key)', value: key, reason: KEY_RULE });
    }
  }
  if (size > MAX_ANNOTATIONS) {
    const reason = `annotations may have ${MAX_ANNOTATIONS} characters together`;
    problems.push({ field: 'Metadata.Annotations', value: `${size} characters`, reason });
  }
  return problems;
}

const KEY_RULE =
  "a key is alphanumeric characters with '-', '_' or '.' inside, at most 63, with an optional DNS prefix and '/' before, such as 'example.org/role'";
const VALUE_RULE =
  "a value is empty or alphanumeric characters with '-', '_' or '.' inside, at most 63";

/** Whether a label of this key can be stored. */
export function isLabelKey(key: string): boolean {
  const slash = key.indexOf('/');
  if (slash < 0) return QUALIFIED.test(key);
  return isObjectName(key.slice(0, slash)) && QUALIFIED.test(key.slice(slash + 1));
}

export function isLabelValue(value: string): boolean {
  return value === '' || QUALIFIED.test(value);
}

const MAX_SELECTOR = 1024;

/** A selector that must parse; `global()` has a meaning in rules' namespace selectors only. */
export function checkSelector(field: string, value: unknown): Problem[] {
  if (typeof value !== 'string' || value === '') return [];
  if (value.length > MAX_SELECTOR) {
    const reason = `a selector has at most ${MAX_SELECTOR} characters, found ${value.length}`;
    return [{ field, value: `${value.slice(0, 40)}…`, reason }];
  }
  if (value.includes('global(')) {
    const reason = 'global() can only be the whole namespaceSelector of a rule';
    return [{ field, value, reason }];
  }
  try {
    parseSelector(value);
    return [];
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return [{ field, value, reason: error.message }];
  }
}
