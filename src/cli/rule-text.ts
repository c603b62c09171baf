import type { EntityRule, Rule } from '../model/index.js';
import { stringifyJson } from '../model/v3/index.js';

/** A rule in one line: `Allow TCP from role == 'frontend' to port 3306`. */
export function ruleText(rule: Rule): string {
  const words: string[] = [rule.action];
  if (rule.ipVersion !== undefined) words.push(`IPv${rule.ipVersion}`);
  if (rule.protocol !== undefined) words.push(String(rule.protocol));
  if (rule.notProtocol !== undefined) words.push(`not ${rule.notProtocol}`);
  if (rule.icmp !== undefined) words.push(icmpText(rule.icmp));
  if (rule.notICMP !== undefined) words.push(`not ${icmpText(rule.notICMP)}`);
  const source = entityText(rule.source);
  if (source !== '') words.push(`from ${source}`);
  const destination = entityText(rule.destination);
  if (destination !== '') words.push(`to ${destination}`);
  if (rule.http !== undefined) words.push(`http ${stringifyJson(rule.http)}`);
  return words.join(' ');
}

function icmpText({ type, code }: NonNullable<Rule['icmp']>): string {
  return `type ${type ?? 'any'}${code === undefined ? '' : ` code ${code}`}`;
}

function entityText(entity: EntityRule | undefined): string {
  if (entity === undefined) return '';
  const list = (values: readonly unknown[] | undefined, word: string): string =>
    Array.isArray(values) && values.length > 0
      ? `${word}${values.length === 1 ? '' : 's'} ${values.join(', ')}`
      : '';
  const text = (value: unknown, word: string): string =>
    typeof value === 'string' && value !== '' ? `${word}${value}` : '';
  return [
    text(entity.namespaceSelector, 'namespaces '),
    text(entity.selector, ''),
    text(entity.notSelector, 'not '),
    list(entity.nets, 'net'),
    list(entity.notNets, 'not net'),
    list(entity.ports, 'port'),
    list(entity.notPorts, 'not port'),
    entity.services === undefined ? '' : `services ${stringifyJson(entity.services)}`,
    entity.serviceAccounts === undefined
      ? ''
      : `serviceAccounts ${stringifyJson(entity.serviceAccounts)}`,
  ]
    .filter((part) => part !== '')
    .join(' and ');
}
