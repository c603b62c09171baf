import { Fault } from '../base/index.js';
import { completeResource, type Kind, type Resource } from '../model/v3/index.js';

export const DEFAULT_NAMESPACE = 'default';

/** One object of one kind; `namespace` is set exactly for namespaced kinds. */
export interface ObjectId {
  readonly kind: Kind;
  readonly name: string;
  readonly namespace?: string;
}

/** `IPPool(pool1)`, `WorkloadEndpoint(default/name)`: the form of calicoctl's messages. */
export function describeId({ kind, name, namespace }: ObjectId): string {
  return `${kind.kind}(${namespace === undefined ? '' : `${namespace}/`}${name})`;
}

/** The object that a document means, given `-n`. Throws `invalid` where the two disagree. */
export function idOf(kind: Kind, resource: Resource, flag: string | undefined): ObjectId {
  const { namespace } = resource.metadata;
  const name = nameOf(kind, resource);
  if (!kind.namespaced) {
    if (flag !== undefined) throw notNamespaced(kind);
    if (namespace === undefined || namespace === '') return { kind, name };
    const message = `namespace should not be specified for a non-namespaced resource. ${kind.kind} is not a namespaced resource`;
    throw new Fault('invalid', message, { reason: 'namespace' });
  }
  const written = namespace === '' ? undefined : namespace;
  if (flag !== undefined && written !== undefined && flag !== written) {
    const message = `${kind.kind} ${name} is in namespace ${written}, but -n ${flag} was given: leave one out`;
    throw new Fault('invalid', message, { reason: 'namespace' });
  }
  return { kind, name, namespace: written ?? flag ?? DEFAULT_NAMESPACE };
}

/** The name in the document, or the one that its kind computes from the spec. */
function nameOf(kind: Kind, resource: Resource): string {
  const { name } = resource.metadata;
  return name === '' ? completeResource(kind, resource).metadata.name : name;
}

/** The object that words on the command line mean. */
export function idFromWords(kind: Kind, name: string, flag: string | undefined): ObjectId {
  if (kind.namespaced) return { kind, name, namespace: flag ?? DEFAULT_NAMESPACE };
  if (flag !== undefined) throw notNamespaced(kind);
  return { kind, name };
}

export function notNamespaced(kind: Kind): Fault {
  return new Fault('invalid', `${kind.kind} is not namespaced`, { reason: 'namespace' });
}
