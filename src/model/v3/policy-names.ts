import { isObject, parseJson } from './json.js';
import { stringOf, type Metadata, type Resource } from './resource.js';

/** Holds `{"name":"<as the user wrote it>"}` on every stored policy since Calico 3.29. */
export const POLICY_NAME_ANNOTATION = 'projectcalico.org/metadata';
/** The tier of a policy as a label, which Calico's own tools list by. */
export const TIER_LABEL = 'projectcalico.org/tier';
const PREFIX = 'default.';

/**
 * The name of a stored policy as its user knows it. Calico has stored `foo` of the default tier as
 * `default.foo` up to 3.31 and as `foo` since (datamodel §1.6): the annotation decides, and without
 * it the prefix is the tier's.
 */
export function policyName({ metadata, spec }: Resource): string {
  const annotated = annotatedName(metadata);
  if (annotated !== undefined) return annotated;
  const inDefault = stringOf(spec, 'tier', 'default') === 'default';
  const short = metadata.name.slice(PREFIX.length);
  return inDefault && metadata.name.startsWith(PREFIX) && short !== '' ? short : metadata.name;
}

function annotatedName(metadata: Metadata): string | undefined {
  const text: unknown = isObject(metadata.annotations)
    ? metadata.annotations[POLICY_NAME_ANNOTATION]
    : undefined;
  if (typeof text !== 'string') return undefined;
  try {
    const parsed = parseJson(text);
    return isObject(parsed) ? stringOf(parsed, 'name') || undefined : undefined;
  } catch {
    // An annotation that is no JSON says nothing; the key's name is still there.
    return undefined;
  }
}

/** The names under which a policy may be stored, that of the current Calico first. */
export function policyKeyNames(name: string): readonly string[] {
  return [name, `${PREFIX}${name}`];
}
