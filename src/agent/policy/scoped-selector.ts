import {
  createSelector,
  parseSelectorText,
  type EntityRule,
  type Labels,
  type NetworkPolicy,
  type Selector,
  type SelectorNode,
} from '../../model/index.js';
import { NAMESPACE_LABEL } from '../../model/v3/index.js';

/** Labels of a namespace stand under this prefix at its endpoints, given by a profile. */
const NAMESPACE_PREFIX = 'pcns.';
/** Only profiles may give these: of namespaces and service accounts (datamodel §1.21). */
const RESERVED = /^pcns\.|^pcsa\./;

/** Labels as an endpoint's own object has them, without those that only profiles may give. */
export function ownLabels(labels: Labels): Labels {
  if (!Object.keys(labels).some((label) => RESERVED.test(label))) return labels;
  return Object.fromEntries(Object.entries(labels).filter(([label]) => !RESERVED.test(label)));
}

/**
 * The endpoints that a policy applies to: of its own namespace, or of the namespaces that a global
 * one asks for (datamodel §1.21). Throws `invalid` when one of its selectors cannot be read.
 */
export function policySelector(policy: NetworkPolicy): Selector {
  const own = parseSelectorText(policy.selector);
  const { namespace, namespaceSelector } = policy;
  if (namespace !== undefined) return createSelector(both(own, inNamespace(namespace)));
  if (blank(namespaceSelector)) return createSelector(own);
  return createSelector(both(own, inNamespaces(namespaceSelector)));
}

/**
 * Whom one side of a rule asks for, undefined when it does not. In a policy of a namespace it is
 * limited to that namespace, also when only a negative selector is given, unless the rule itself
 * selects namespaces (datamodel §1.21). Throws `invalid` when a selector cannot be read.
 */
export function entitySelector(entity: EntityRule, namespace?: string): Selector | undefined {
  const { selector, notSelector, namespaceSelector } = entity;
  const own = blank(selector) ? undefined : parseSelectorText(selector);
  const where = !blank(namespaceSelector)
    ? inNamespaces(namespaceSelector)
    : namespace === undefined || (own === undefined && blank(notSelector))
      ? undefined
      : inNamespace(namespace);
  if (where === undefined || own === undefined) {
    const only = where ?? own;
    return only === undefined ? undefined : createSelector(only);
  }
  return createSelector(both(where, own));
}

/** An empty selector in a rule means "not given", unlike in a policy. */
export const blank = (text: string | undefined): text is undefined =>
  text === undefined || (typeof text === 'string' && text.trim() === '');

const both = (left: SelectorNode, right: SelectorNode): SelectorNode => ({
  type: 'and',
  operands: [left, right],
});

const inNamespace = (namespace: string): SelectorNode => ({
  type: 'compare',
  operator: '==',
  label: NAMESPACE_LABEL,
  value: namespace,
});

const inNamespaces = (text: string): SelectorNode => ofNamespace(parseSelectorText(text));

/** `all()`: of any namespace; `global()`: of none. */
function ofNamespace(node: SelectorNode): SelectorNode {
  switch (node.type) {
    case 'all':
      return { type: 'has', label: NAMESPACE_LABEL };
    case 'global':
      return { type: 'not', operand: { type: 'has', label: NAMESPACE_LABEL } };
    case 'has':
    case 'compare':
    case 'member':
      return { ...node, label: `${NAMESPACE_PREFIX}${node.label}` };
    case 'not':
      return { type: 'not', operand: ofNamespace(node.operand) };
    case 'and':
    case 'or':
      return { type: node.type, operands: node.operands.map(ofNamespace) };
  }
}
