import { parseSelector, type Labels, type Selector, type SelectorNode } from '../index.js';
import { NAMESPACE, NAMESPACE_PREFIX } from './labels.js';

/** A condition on labels. */
export type LabelTest = (labels: Labels) => boolean;

/** Throws `invalid` for a selector that does not parse. */
export function selectorTest(text: string): LabelTest {
  const selector = parsed(text);
  return (labels) => selector.evaluate(labels);
}

const MOST_KEPT = 10_000;
const kept = new Map<string, Selector>();

/** The same texts come for every packet. */
function parsed(text: string): Selector {
  const known = kept.get(text);
  if (known !== undefined) return known;
  const selector = parseSelector(text);
  if (kept.size >= MOST_KEPT) kept.clear();
  kept.set(text, selector);
  return selector;
}

/**
 * A namespace selector asks for labels of the namespace, which endpoints carry with a prefix;
 * `all()` is whoever has a namespace, `global()` whoever has none (datamodel §1.21).
 */
export function namespaceTest(text: string): LabelTest {
  const { root } = parsed(text);
  return (labels) => holds(root, labels);
}

function holds(node: SelectorNode, labels: Labels): boolean {
  switch (node.type) {
    case 'all':
      return Object.hasOwn(labels, NAMESPACE);
    case 'global':
      return !Object.hasOwn(labels, NAMESPACE);
    case 'not':
      return !holds(node.operand, labels);
    case 'and':
      return node.operands.every((operand) => holds(operand, labels));
    case 'or':
      return node.operands.some((operand) => holds(operand, labels));
    case 'has':
      return Object.hasOwn(labels, NAMESPACE_PREFIX + node.label);
    case 'compare':
    case 'member':
      return leafHolds(node, labels);
  }
}

function leafHolds(
  node: Extract<SelectorNode, { type: 'compare' | 'member' }>,
  labels: Labels,
): boolean {
  const label = NAMESPACE_PREFIX + node.label;
  const found = Object.hasOwn(labels, label) ? labels[label] : undefined;
  if (node.type === 'member') {
    return (found !== undefined && node.values.includes(found)) !== node.negated;
  }
  if (found === undefined) return node.operator === '!=';
  switch (node.operator) {
    case '==':
      return found === node.value;
    case '!=':
      return found !== node.value;
    case 'contains':
      return found.includes(node.value);
    case 'starts with':
      return found.startsWith(node.value);
    case 'ends with':
      return found.endsWith(node.value);
  }
}
