import { createHash } from 'node:crypto';
import { parseSelectorText, type SelectorNode } from './selector-parser.js';

export type Labels = Readonly<Record<string, string>>;

/** One way to find the candidates of a selector: every match has this label, with one of these values if listed. */
export interface LabelRestriction {
  readonly label: string;
  readonly values?: readonly string[];
}

/** A selector of Calico's language: parsed once, evaluated often. */
export interface Selector {
  /** Canonical text, as Calico prints it; what the identity is computed from. */
  readonly text: string;
  /** `s:` and the base64url SHA-224 of `s:` + text: equal selectors share it in every agent of the cluster. */
  readonly id: string;
  readonly root: SelectorNode;
  evaluate(labels: Labels): boolean;
}

/**
 * Parses a selector; empty or blank text means `all()`. Grammar, canonical text and identity are
 * Calico's (datamodel §3.6 and §6.13). Throws `invalid` with the place and what was expected there.
 */
export function parseSelector(text: string): Selector {
  return createSelector(parseSelectorText(text));
}

/** The selector of a tree, such as one put together from parts. */
export function createSelector(root: SelectorNode): Selector {
  const canonical = selectorText(root);
  return {
    text: canonical,
    id: selectorId(canonical),
    root,
    evaluate: (labels) => evaluateNode(root, labels),
  };
}

/** The identity of a canonical text. */
export function selectorId(canonicalText: string): string {
  return `s:${createHash('sha224').update(`s:${canonicalText}`).digest('base64url')}`;
}

/** Canonical text of a parsed selector. Not idempotent for `!(!x)`, exactly as in Calico. */
export function selectorText(node: SelectorNode): string {
  switch (node.type) {
    case 'all':
      return 'all()';
    case 'global':
      return 'global()';
    case 'has':
      return `has(${node.label})`;
    case 'compare':
      return `${node.label} ${node.operator} ${quote(node.value)}`;
    case 'member': {
      const operator = node.negated ? 'not in' : 'in';
      return `${node.label} ${operator} {${node.values.map(quote).join(', ')}}`;
    }
    case 'not':
      return `!${selectorText(node.operand)}`;
    case 'and':
      return `(${node.operands.map(selectorText).join(' && ')})`;
    case 'or':
      return `(${node.operands.map(selectorText).join(' || ')})`;
  }
}

/** The language has no escapes: a value with a double quote can only stand in single quotes. */
function quote(value: string): string {
  return value.includes('"') ? `'${value}'` : `"${value}"`;
}

function evaluateNode(node: SelectorNode, labels: Labels): boolean {
  switch (node.type) {
    case 'all':
    case 'global':
      return true;
    case 'has':
      return valueOf(labels, node.label) !== undefined;
    case 'compare':
      return compare(node.operator, valueOf(labels, node.label), node.value);
    case 'member': {
      const value = valueOf(labels, node.label);
      return (value !== undefined && node.values.includes(value)) !== node.negated;
    }
    case 'not':
      return !evaluateNode(node.operand, labels);
    case 'and':
      return node.operands.every((operand) => evaluateNode(operand, labels));
    case 'or':
      return node.operands.some((operand) => evaluateNode(operand, labels));
  }
}

/** Labels come from stored JSON: a label named like a member of Object.prototype must not be found by inheritance. */
function valueOf(labels: Labels, label: string): string | undefined {
  return Object.hasOwn(labels, label) ? labels[label] : undefined;
}

/** On an absent label `!=` is true and every other operator false. */
function compare(
  operator: (SelectorNode & { type: 'compare' })['operator'],
  found: string | undefined,
  wanted: string,
): boolean {
  if (found === undefined) return operator === '!=';
  switch (operator) {
    case '==':
      return found === wanted;
    case '!=':
      return found !== wanted;
    case 'contains':
      return found.includes(wanted);
    case 'starts with':
      return found.startsWith(wanted);
    case 'ends with':
      return found.endsWith(wanted);
  }
}

/**
 * A label that every match must carry, if the selector implies one: an index over labels can then
 * look at the few endpoints (or selectors) in question only. Undefined means that anything may match.
 */
export function requiredLabel(node: SelectorNode): LabelRestriction | undefined {
  switch (node.type) {
    case 'has':
      return { label: node.label };
    case 'compare':
      if (node.operator === '!=') return undefined;
      return node.operator === '=='
        ? { label: node.label, values: [node.value] }
        : { label: node.label };
    case 'member':
      return node.negated ? undefined : { label: node.label, values: node.values };
    case 'and': {
      const found = node.operands.map(requiredLabel).filter((one) => one !== undefined);
      return found.find((one) => one.values !== undefined) ?? found[0];
    }
    default:
      return undefined;
  }
}
