import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { objectOf, textOf } from './engine-records.js';

/** A container that does not run, as `GET /containers/{id}/json` tells it. */
export interface StoppedContainer {
  readonly id: string;
  /** Without the leading slash. */
  readonly name: string;
  /** RFC 3339, to the nanosecond: order of creation is order of text. */
  readonly created: string;
  /** When it last began to run; changes with every start that succeeded. */
  readonly startedAt: string;
  /** `always`, `unless-stopped`, `on-failure`, or empty. */
  readonly restartPolicy: string;
  /** Why the last start failed; empty when it did not. */
  readonly error: string;
  /** 255 when it died with dockerd or with the machine. */
  readonly exitCode: number;
  /** Names and ids of its networks. */
  readonly networks: readonly string[];
}

/** Undefined when it runs, or is no container. */
export function readStoppedContainer(body: unknown): StoppedContainer | undefined {
  const container = objectOf(body);
  const state = objectOf(container['State']);
  const id = textOf(container['Id']);
  if (id === '' || state['Running'] === true || state['Restarting'] === true) return undefined;
  const policy = textOf(objectOf(objectOf(container['HostConfig'])['RestartPolicy'])['Name']);
  const networks = Object.entries(objectOf(objectOf(container['NetworkSettings'])['Networks']));
  return {
    id,
    name: textOf(container['Name']).replace(/^\//, ''),
    created: textOf(container['Created']),
    startedAt: textOf(state['StartedAt']),
    restartPolicy: policy === 'no' ? '' : policy,
    error: textOf(state['Error']),
    exitCode: typeof state['ExitCode'] === 'number' ? state['ExitCode'] : 0,
    networks: networks.flatMap(([name, network]) => [name, textOf(objectOf(network)['NetworkID'])]),
  };
}

/**
 * What libnetwork puts around the answer of a plugin, or around its absence (measured on 20.10 and 28): the reason that
 * a plugin gives stands behind `remote: `, one that is not there is named as a plugin.
 */
const PLUGIN_ERROR = /\bremote: |\b(?:NetworkDriver|IpamDriver)\.|\bplugin\b/;

/** Its last start failed on a plugin, it is on a network of ours, and Docker was told to keep it running. */
export function failedOnOurs(
  container: StoppedContainer,
  isOurNetwork: (nameOrId: string) => boolean,
): boolean {
  const { restartPolicy, error, networks } = container;
  return restartPolicy !== '' && PLUGIN_ERROR.test(error) && networks.some(isOurNetwork);
}

/** dockerd's own record says that a user stopped it; undefined where that cannot be read. */
async function markedAsStopped(
  dataRoot: string,
  { id }: StoppedContainer,
): Promise<boolean | undefined> {
  try {
    const text = await readFile(join(dataRoot, 'containers', id, 'config.v2.json'), 'utf8');
    return objectOf(JSON.parse(text))['HasBeenManuallyStopped'] === true;
  } catch {
    // Another mount namespace, another layout: the exit code has to do.
    return undefined;
  }
}

/** What dockerd writes down for containers that it finds dead when it starts. */
const DIED_WITH_DOCKERD = 255;

/**
 * The API does not tell whether a user stopped a container. dockerd's own record does, up to 20.10; newer engines
 * forget it when their own start at boot fails (measured on 28). After a crash the exit code tells the ones that ran.
 * After an orderly end nothing does: `unless-stopped` Docker itself would not have tried, and `always` it has.
 */
async function wasStoppedByUser(
  dataRoot: string,
  container: StoppedContainer,
  crashed: boolean,
): Promise<boolean> {
  if ((await markedAsStopped(dataRoot, container)) === true) return true;
  const { exitCode, restartPolicy } = container;
  return crashed && exitCode !== DIED_WITH_DOCKERD && restartPolicy !== 'unless-stopped';
}

/** Those on the networks that are to be started again, oldest first. */
export async function failedStarts(
  engine: {
    readonly dataRoot: string;
    stoppedContainers(): Promise<StoppedContainer[]>;
  },
  networks: readonly { readonly id: string; readonly name: string }[],
): Promise<StoppedContainer[]> {
  const ours = new Set(networks.flatMap(({ id, name }) => [id, name]));
  const candidates = (await engine.stoppedContainers()).filter((container) =>
    failedOnOurs(container, (network) => ours.has(network)),
  );
  const crashed = candidates.some(({ exitCode }) => exitCode === DIED_WITH_DOCKERD);
  const failed: StoppedContainer[] = [];
  for (const container of candidates) {
    if (!(await wasStoppedByUser(engine.dataRoot, container, crashed))) failed.push(container);
  }
  return failed.sort((one, other) => (one.created < other.created ? -1 : 1));
}
