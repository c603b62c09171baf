import ts from 'typescript';

/** One small change of a source file that some test should notice. */
export interface Mutant {
  /** Below `src`. */
  readonly file: string;
  /** The function, method or constant that it is in. */
  readonly within: string;
  readonly operator: string;
  readonly before: string;
  readonly after: string;
  readonly replacement: string;
  /** Where the text is replaced, in characters. */
  readonly start: number;
  readonly end: number;
  /** Of several alike in one function, which. */
  readonly ordinal: number;
}

/** What names it as long as the code around it stays: file, place, change. */
export const idOf = (one: Mutant): string =>
  `${one.file} ${one.within}: ${one.before} → ${one.after}${one.ordinal === 0 ? '' : ` (${one.ordinal + 1})`}`;

type Change = readonly [operator: string, node: ts.Node, after: string];

const BINARY: Readonly<Partial<Record<ts.SyntaxKind, string>>> = {
  [ts.SyntaxKind.EqualsEqualsEqualsToken]: '!==',
  [ts.SyntaxKind.ExclamationEqualsEqualsToken]: '===',
  [ts.SyntaxKind.LessThanToken]: '<=',
  [ts.SyntaxKind.LessThanEqualsToken]: '<',
  [ts.SyntaxKind.GreaterThanToken]: '>=',
  [ts.SyntaxKind.GreaterThanEqualsToken]: '>',
  [ts.SyntaxKind.AmpersandAmpersandToken]: '||',
  [ts.SyntaxKind.BarBarToken]: '&&',
  [ts.SyntaxKind.PlusToken]: '-',
  [ts.SyntaxKind.MinusToken]: '+',
};

const METHODS: Readonly<Record<string, string>> = {
  some: 'every',
  every: 'some',
  add: 'delete',
  unshift: 'push',
  addElement: 'removeElement',
};

/** Words of rules that mean the opposite, or the other side. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/\bdrop\b(?! comment "not| c?o?n)/, 'accept'],
  [/\baccept\b/, 'drop'],
  [/\breturn\b/, 'accept'],
  [/\bgoto\b/, 'jump'],
  [/\bjump\b/, 'goto'],
  [/\bsaddr\b/, 'daddr'],
  [/\bdaddr\b/, 'saddr'],
  [/\bsport\b/, 'dport'],
  [/\bdport\b/, 'sport'],
  [/\biifname\b/, 'oifname'],
  [/\boifname\b/, 'iifname'],
  [/!= /, '== '],
  [/\| 0x/, '& 0x'],
  [/\btype \. /, 'code . '],
  [/\bprerouting\b/, 'input'],
  [/\bestablished,related\b/, 'new'],
  [/\binvalid\b/, 'untracked'],
];

/** Every change of a file that the operators know, in the order of the text. */
export function mutantsOf(file: string, text: string): readonly Mutant[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const changes: Change[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node) || ts.isImportDeclaration(node)) return;
    changes.push(...changesOf(node, source));
    ts.forEachChild(node, visit);
  };
  visit(source);
  const seen = new Map<string, number>();
  return changes.map(([operator, node, after]) => {
    const before = node.getText(source);
    const within = placeOf(node);
    const plain = { file, within, operator, before: inOneLine(before), after: inOneLine(after) };
    const key = JSON.stringify(plain);
    const ordinal = seen.get(key) ?? 0;
    seen.set(key, ordinal + 1);
    const place = { start: node.getStart(source), end: node.getEnd() };
    return { ...plain, ...place, ordinal, replacement: after };
  });
}

/** The file's text with the change made. */
export function applied({ start, end, replacement }: Mutant, text: string): string {
  return text.slice(0, start) + replacement + text.slice(end);
}

const inOneLine = (text: string): string => text.replaceAll(/\s+/g, ' ');

function changesOf(node: ts.Node, source: ts.SourceFile): readonly Change[] {
  const text = (one: ts.Node): string => one.getText(source);
  if (ts.isBinaryExpression(node)) {
    const other = BINARY[node.operatorToken.kind];
    if (other === undefined) return [];
    return [['other operator', node, `${text(node.left)} ${other} ${text(node.right)}`]];
  }
  if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken) {
    return [['no negation', node, `(${text(node.operand)})`]];
  }
  if (ts.isIfStatement(node)) {
    const { expression } = node;
    return [
      ['condition always', expression, 'true'],
      ['condition never', expression, 'false'],
    ];
  }
  if (ts.isConditionalExpression(node)) {
    const { condition, whenTrue, whenFalse } = node;
    return [
      ['branches swapped', node, `${text(condition)} ? ${text(whenFalse)} : ${text(whenTrue)}`],
    ];
  }
  if (node.kind === ts.SyntaxKind.TrueKeyword) return [['other constant', node, 'false']];
  if (node.kind === ts.SyntaxKind.FalseKeyword) return [['other constant', node, 'true']];
  if (ts.isNumericLiteral(node) && !ts.isLiteralTypeNode(node.parent)) {
    return [['other number', node, `${Number(node.text) + 1}`]];
  }
  if (ts.isExpressionStatement(node) && ts.isCallExpression(node.expression)) {
    return [['no call', node, ';']];
  }
  if (ts.isPropertyAccessExpression(node) && ts.isCallExpression(node.parent)) {
    const other = Object.hasOwn(METHODS, node.name.text) ? METHODS[node.name.text] : undefined;
    return other === undefined ? [] : [['other method', node.name, other]];
  }
  return wordChanges(node, text(node));
}

/** Words of rules, in strings that are no member's name or type. */
function wordChanges(node: ts.Node, text: string): readonly Change[] {
  const isText =
    ts.isStringLiteral(node) ||
    ts.isNoSubstitutionTemplateLiteral(node) ||
    ts.isTemplateHead(node) ||
    ts.isTemplateMiddle(node) ||
    ts.isTemplateTail(node);
  if (!isText || !/[ @]/.test(text.slice(1, -1))) return [];
  return WORDS.flatMap(([word, other]): Change[] =>
    word.test(text) ? [['other word', node, text.replace(word, other)]] : [],
  );
}

/** The nearest names around a node. */
function placeOf(node: ts.Node): string {
  const names: string[] = [];
  for (let at: ts.Node | undefined = node.parent; at !== undefined; at = at.parent) {
    if (isNamed(at) && at.name !== undefined) names.unshift(at.name.getText());
    if (ts.isConstructorDeclaration(at)) names.unshift('constructor');
  }
  return names.join('.');
}

type Named = ts.FunctionDeclaration | ts.MethodDeclaration | ts.GetAccessorDeclaration;

function isNamed(node: ts.Node): node is Named | ts.ClassDeclaration | ts.VariableDeclaration {
  return (
    ts.isFunctionDeclaration(node) ||
    ts.isMethodDeclaration(node) ||
    ts.isGetAccessor(node) ||
    ts.isClassDeclaration(node) ||
    (ts.isVariableDeclaration(node) && ts.isVariableStatement(node.parent.parent))
  );
}
