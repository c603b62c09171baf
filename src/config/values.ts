import { parseArgs } from 'node:util';
import { messageOf } from '../base/index.js';
import { isObject, readYaml } from '../model/v3/index.js';
import { parseDuration } from '../model/index.js';
import type { ConfigInputs } from './inputs.js';
import {
  aliases,
  flagOf,
  keys,
  ruleOf,
  variableOf,
  withoutEffect,
  type Key,
  type Settings,
} from './schema.js';

export const DAEMON_FILE = '/etc/calico/calico-libnetwork.yaml';
/** Eru's plugin kept its variables here. */
export const ERU_FILE = '/etc/eru/minions.conf';

export interface ConfigProblem {
  /** Warnings do not keep the daemon from starting. */
  readonly severity: 'error' | 'warning';
  /** One line: the key, where it came from, what was found, what would be right. */
  readonly message: string;
}

export interface ValueReading {
  readonly settings: Settings;
  /** Where each value came from: `default`, a path, a variable or a flag. */
  readonly sources: Readonly<Record<Key, string>>;
  readonly problems: readonly ConfigProblem[];
}

interface Found {
  readonly value: unknown;
  readonly source: string;
}

type Layer = Map<Key, Found>;

/** Merges defaults, file, environment and flags; the later wins. Bad values are problems, not throws. */
export function readValues(inputs: ConfigInputs): ValueReading {
  const problems: ConfigProblem[] = [];
  const flags = readFlags(inputs.argv, problems);
  const layers = [readFile(inputs, flags.file, problems), readEnvironment(inputs.env, problems)];
  const settings: Record<string, unknown> = {};
  const sources: Record<string, string> = {};
  for (const key of keys) {
    const found = [...layers, flags.layer].reduce<Found | undefined>(
      (earlier, layer) => layer.get(key) ?? earlier,
      undefined,
    );
    const value = found === undefined ? undefined : coerce(key, found, problems);
    settings[key] = value ?? ruleOf(key).fallback;
    sources[key] = value === undefined || found === undefined ? 'default' : found.source;
  }
  return {
    settings: settings as Settings,
    sources: sources as Readonly<Record<Key, string>>,
    problems,
  };
}

function readFlags(
  argv: readonly string[],
  problems: ConfigProblem[],
): { readonly layer: Layer; readonly file: string | undefined } {
  const layer: Layer = new Map();
  const options = Object.fromEntries(
    [...keys.map(flagOf), 'config'].map((name) => [name, { type: 'string' as const }]),
  );
  try {
    const { values } = parseArgs({ args: [...argv], options, strict: true });
    for (const key of keys) {
      const value = values[flagOf(key)];
      if (value !== undefined) layer.set(key, { value, source: `--${flagOf(key)}` });
    }
    return { layer, file: values['config'] };
  } catch (error) {
    const valid = keys.map((key) => `--${flagOf(key)}`).join(' ');
    const what = messageOf(error).replace(/\.? To specify .*$/, '');
    problems.push({ severity: 'error', message: `${what}; valid: --config ${valid}` });
    return { layer, file: undefined };
  }
}

function readFile(
  inputs: ConfigInputs,
  wanted: string | undefined,
  problems: ConfigProblem[],
): Layer {
  const path = wanted ?? DAEMON_FILE;
  const layer: Layer = new Map();
  const problem = (message: string): void => {
    problems.push({ severity: 'error', message });
  };
  try {
    const text = inputs.readFile(path);
    if (text === undefined) {
      if (wanted !== undefined) problem(`${path} does not exist`);
      return layer;
    }
    const [document] = readYaml(text, path);
    if (document === undefined) return layer;
    if (!isObject(document)) {
      problem(`${path} must hold "key: value" lines`);
      return layer;
    }
    for (const [name, value] of Object.entries(document)) {
      for (const [key, member] of flatten(name, value)) {
        const known = keys.find((each) => each.toLowerCase() === key.toLowerCase());
        if (known === undefined) problem(unknownKey(key, path));
        else layer.set(known, { value: member, source: path });
      }
    }
  } catch (error) {
    problem(`cannot read ${path}: ${messageOf(error)}`);
  }
  return layer;
}

/** `reclaim: {minimumAge: 5m}` is `reclaim.minimumAge: 5m`. */
function flatten(name: string, value: unknown): [string, unknown][] {
  if (!isObject(value)) return [[name, value]];
  return Object.entries(value).map(([member, inner]) => [
    member === 'enabled' ? name : `${name}.${member}`,
    inner,
  ]);
}

function unknownKey(key: string, source: string): string {
  return `${source}: "${key}" is no setting; valid: ${keys.join(', ')}`;
}

function readEnvironment(env: ConfigInputs['env'], problems: ConfigProblem[]): Layer {
  const layer: Layer = new Map();
  const known = new Set(withoutEffect);
  for (const key of keys) {
    for (const variable of [variableOf(key), ...(aliases[key] ?? [])]) {
      known.add(variable);
      const value = env[variable];
      if (value !== undefined && value !== '' && !layer.has(key)) {
        layer.set(key, { value, source: variable });
      }
    }
  }
  felixVariables(env, layer);
  for (const variable of Object.keys(env)) {
    if (!variable.startsWith('CALICO_LIBNETWORK_')) continue;
    if (withoutEffect.includes(variable)) {
      const message = `${variable} has no effect: labels are written as soon as Docker tells them`;
      problems.push({ severity: 'warning', message });
    } else if (!known.has(variable)) {
      const valid = keys.map(variableOf).join(' ');
      problems.push({
        severity: 'warning',
        message: `${variable} is no setting; valid: ${valid}`,
      });
    }
  }
  return layer;
}

const SEVERITIES: Readonly<Record<string, string>> = {
  debug: 'debug',
  info: 'info',
  warning: 'warn',
  error: 'error',
  fatal: 'fatal',
  none: 'silent',
};

/** Felix's and the predecessor's variables whose meaning is that of a key of ours. */
function felixVariables(env: ConfigInputs['env'], layer: Layer): void {
  const set = (key: Key, value: string | undefined, source: string): void => {
    if (value !== undefined && value !== '' && !layer.has(key)) layer.set(key, { value, source });
  };
  const severity = 'FELIX_LOGSEVERITYSCREEN';
  set('logLevel', SEVERITIES[(env[severity] ?? '').toLowerCase()], severity);
  if (isTrue(env['CALICO_DEBUG'])) set('logLevel', 'debug', 'CALICO_DEBUG');
  if (isTrue(env['FELIX_PROMETHEUSMETRICSENABLED'])) {
    const port = 'FELIX_PROMETHEUSMETRICSPORT';
    set('metricsPort', env[port] ?? '9091', port);
    set('metricsHost', env['FELIX_PROMETHEUSMETRICSHOST'], 'FELIX_PROMETHEUSMETRICSHOST');
  }
  if (isTrue(env['DISABLE_NODE_IP_CHECK'])) {
    set('checkAddressConflicts', 'false', 'DISABLE_NODE_IP_CHECK');
  }
}

const isTrue = (value: string | undefined): boolean => /^(?:true|1|yes|on)$/i.test(value ?? '');
const isFalse = (value: string): boolean => /^(?:false|0|no|off)$/i.test(value);

/** The value in its key's type; undefined, and a problem, when it cannot be. */
function coerce(key: Key, { value, source }: Found, problems: ConfigProblem[]): unknown {
  const { type, choices, maximum } = ruleOf(key);
  const refuse = (wanted: string): undefined => {
    const shown = JSON.stringify(value)?.slice(0, 60);
    const message = `${key} (from ${source}) must be ${wanted}, found ${shown}`;
    problems.push({ severity: 'error', message });
    return undefined;
  };
  if (value === null || value === undefined) return undefined;
  if (typeof value === 'object') return refuse(type === 'text' ? 'text' : `one ${type}`);
  const written = String(value).trim();
  switch (type) {
    case 'boolean':
      if (isTrue(written)) return true;
      return isFalse(written) ? false : refuse('on or off');
    case 'integer': {
      const number = /^\d{1,9}$/.test(written) ? Number(written) : NaN;
      return number <= maximum ? number : refuse(`a whole number from 0 to ${maximum}`);
    }
    case 'choice': {
      const choice = choices.find((each) => each === written.toLowerCase());
      return choice ?? refuse(`one of ${choices.join(', ')}`);
    }
    case 'duration':
      return parseDuration(written) === undefined ? refuse('a duration such as 10m') : written;
    case 'text':
      return written;
  }
}
