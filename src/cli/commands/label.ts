import { Fault, isFault } from '../../base/index.js';
import type { Resource } from '../../model/v3/index.js';
import type { Io } from '../io.js';
import { idFromWords } from '../object-name.js';
import { refuseReadOnly } from '../objects.js';
import { kindNamed, withObjects, type SharedOptions } from '../session.js';
import { changeOptions } from './write.js';

export interface LabelOptions extends SharedOptions {
  readonly overwrite?: boolean;
  readonly remove?: boolean;
}

/** label: sets or removes one label of one object. */
export async function labelCommand(
  io: Io,
  [word = '', name = '', assignment = '']: readonly string[],
  options: LabelOptions,
): Promise<number> {
  const kind = kindNamed(word);
  refuseReadOnly(kind, 'label');
  const id = idFromWords(kind, name, options.namespace);
  const what = `${word} ${name}`;
  const wanted = parseAssignment(assignment, options.remove === true);
  let done = '';
  const change = (previous: Resource): Resource => {
    const shown = kind.shown?.(previous) ?? previous;
    const { labels, verb } = changed(shown, wanted, what, options.overwrite === true);
    done = `Successfully ${verb} ${what}\n`;
    return { ...shown, metadata: { ...shown.metadata, labels } };
  };
  return withObjects(io, options, async (objects) => {
    try {
      await objects.update(id, change, changeOptions(io, objects, id));
    } catch (error) {
      if (isFault(error, 'not-found')) throw new Fault('not-found', `${what} not found`);
      throw error;
    }
    io.out(done);
    return 0;
  });
}

interface Assignment {
  readonly key: string;
  /** Absent: the label is to go. */
  readonly value?: string;
}

function changed(
  { metadata }: Resource,
  { key, value }: Assignment,
  what: string,
  overwrite: boolean,
): { readonly labels: Record<string, string>; readonly verb: string } {
  const labels = { ...metadata.labels };
  const current = labels[key];
  if (value === undefined) {
    if (current === undefined) {
      throw refusal(`cannot remove label of ${what}, key ${key} does not exist`);
    }
    delete labels[key];
    return { labels, verb: `removed label ${key} from` };
  }
  if (current !== undefined && current !== value && !overwrite) {
    const message = `failed to update label of ${what}, key ${key} is already present. please use '--overwrite' to set a new value`;
    throw refusal(message);
  }
  labels[key] = value;
  return { labels, verb: `${current === undefined ? 'set' : 'updated'} label ${key} on` };
}

function parseAssignment(text: string, remove: boolean): Assignment {
  const at = text.indexOf('=');
  if (remove) {
    if (at < 0 && text !== '') return { key: text };
    throw refusal(`with --remove give the key alone, found "${text}"`);
  }
  if (at > 0) return { key: text.slice(0, at), value: text.slice(at + 1) };
  throw refusal(`a label is given as key=value, found "${text}"`);
}

function refusal(message: string): Fault {
  return new Fault('invalid', message, { reason: 'label' });
}
