import { Fault } from '../../base/index.js';
import { isObject, stringifyJson } from '../../model/v3/index.js';
import type { Io } from '../io.js';
import { plainTable } from '../tables.js';

export interface StatusOptions {
  readonly output: string;
  readonly socket?: string;
}

/** status: what the daemon of this host says about itself, as tables or as it came. */
export async function statusCommand(io: Io, { output, socket }: StatusOptions): Promise<number> {
  if (output !== 'table' && output !== 'json' && output !== 'ps') {
    const message = `unrecognized output format '${output}': use table or json`;
    throw new Fault('invalid', message, { reason: 'output-format' });
  }
  const status = await io.readStatus(socket);
  io.out(output === 'json' ? `${stringifyJson(status, 2)}\n` : renderStatus(status));
  return 0;
}

/** Plain members as `name: value` lines, lists of objects as tables, objects as sections. */
export function renderStatus(status: unknown): string {
  if (!isObject(status)) return `${shown(status)}\n`;
  const lines: string[] = [];
  const sections: string[] = [];
  for (const [name, value] of Object.entries(status)) {
    const title = titleOf(name);
    if (isTable(value)) sections.push(`${title}:\n${tableOf(value)}`);
    else if (isObject(value) && Object.keys(value).length > 0) {
      sections.push(`${title}:\n${indented(renderStatus(value))}`);
    } else lines.push(`${title}: ${shown(value)}\n`);
  }
  return `${lines.join('')}${sections.map((section) => `\n${section}`).join('')}`;
}

type Row = Record<string, unknown>;

function isTable(value: unknown): value is Row[] {
  return Array.isArray(value) && value.length > 0 && value.every(isObject);
}

function tableOf(rows: readonly Row[]): string {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return plainTable(
    names.map((name) => titleOf(name).toUpperCase()),
    rows.map((row) => names.map((name) => shown(row[name]))),
  ).replace(/\n$/, '');
}

/** `lastError` as `last error`. */
function titleOf(name: string): string {
  return name.replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase();
}

function shown(value: unknown): string {
  if (value === undefined || value === null || value === '') return '-';
  if (value === true) return 'yes';
  if (value === false) return 'no';
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(shown).join(', ');
  return isObject(value)
    ? Object.entries(value)
        .map(([name, member]) => `${titleOf(name)} ${shown(member)}`)
        .join(', ') || 'none'
    : String(value);
}

function indented(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '  ');
}
