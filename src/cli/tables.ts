import Table from 'cli-table3';

const MIN_WIDTH = 5;
const PADDING = 3;

/**
 * A table as calicoctl prints it: columns of at least five characters, three spaces behind the
 * longest cell also in the last column, an empty line at the end.
 */
export function plainTable(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const all = [headings, ...rows];
  const widths = headings.map((_, column) =>
    Math.max(MIN_WIDTH, ...all.map((row) => [...(row[column] ?? '')].length + PADDING)),
  );
  const lines = all.map((row) =>
    row.map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - [...cell].length)).join(''),
  );
  return `${lines.join('\n')}\n\n`;
}

const ASCII = {
  top: '-',
  'top-mid': '+',
  'top-left': '+',
  'top-right': '+',
  bottom: '-',
  'bottom-mid': '+',
  'bottom-left': '+',
  'bottom-right': '+',
  left: '|',
  'left-mid': '+',
  mid: '-',
  'mid-mid': '+',
  right: '|',
  'right-mid': '+',
  middle: '|',
};

export interface BorderedColumn {
  readonly heading: string;
  readonly align?: 'left' | 'right';
}

/** A table with borders of plain characters; cells of right-aligned columns are, headings never. */
export function borderedTable(
  columns: readonly BorderedColumn[],
  rows: readonly (readonly string[])[],
): string {
  const table = new Table({
    head: columns.map(({ heading }) => heading),
    chars: ASCII,
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) {
    table.push(row.map((content, at) => ({ content, hAlign: columns[at]?.align ?? 'left' })));
  }
  return `${table.toString()}\n`;
}
