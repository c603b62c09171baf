import { armFailpointsByFile, createLog, isFault, messageOf, type Log } from './base/index.js';
import {
  checkConfig,
  findScope,
  loadDaemonConfig,
  systemInputs,
  type ConfigInputs,
} from './config/index.js';
import { startDaemon } from './daemon.js';
import { ScopeKeeper } from './keep-scope.js';
import { VERSION } from './version.js';

const HELP = `calico-libnetwork: Calico networking and addresses for Docker containers, one daemon per host.

Usage: calico-libnetwork [--config FILE] [--<key> VALUE ...]
       calico-libnetwork --check-config [--config FILE]   print every setting with its source, and every problem
       calico-libnetwork --version | --help

Without configuration it keeps its data in an embedded store on this host; then:
  docker network create --driver calico --ipam-driver calico-ipam net1
  docker run --network net1 IMAGE
  calicoctl status
`;

/** First descriptor that systemd passes (sd_listen_fds). */
const FIRST_PASSED_FD = 3;

async function main(argv: readonly string[]): Promise<number | undefined> {
  if (argv.includes('--help') || argv.includes('-h')) return print(HELP);
  if (argv.includes('--version')) return print(`calico-libnetwork ${VERSION}\n`);
  const check = argv.includes('--check-config');
  const inputs = systemInputs(argv.filter((argument) => argument !== '--check-config'));
  if (check) {
    const { ok, lines } = checkConfig(inputs);
    print(`${lines.join('\n')}\n`);
    return ok ? 0 : 1;
  }
  return run(inputs);
}

async function run(inputs: ConfigInputs): Promise<number | undefined> {
  // Before anything is made: sockets and state are for root alone.
  process.umask(0o077);
  const { config, warnings } = loadDaemonConfig(inputs);
  const log = createLog(config.logLevel);
  for (const warning of warnings) log.warn(warning);
  if (!config.enabled) {
    log.info('disabled by configuration (enabled: false)');
    return 0;
  }
  if (config.failpointFile !== '') armFailpointsByFile(config.failpointFile);
  const scope = new ScopeKeeper(config.stateDir, () => findScope(inputs, config.scope), log);
  const daemon = await startDaemon({
    config,
    version: VERSION,
    osHostname: inputs.osHostname,
    scope,
    passedSockets: passedSockets(inputs.env),
    log,
  });
  endOnSignals(log, () => daemon.stop());
  return undefined;
}

/** In the order of the socket unit: network driver, IPAM driver. */
function passedSockets(env: ConfigInputs['env']): { network?: number; ipam?: number } {
  const count = env['LISTEN_PID'] === String(process.pid) ? Number(env['LISTEN_FDS'] ?? 0) : 0;
  return count >= 2 ? { network: FIRST_PASSED_FD, ipam: FIRST_PASSED_FD + 1 } : {};
}

function endOnSignals(log: Log, stop: () => Promise<void>): void {
  let ending = false;
  const end = (signal: NodeJS.Signals): void => {
    if (ending) return;
    ending = true;
    log.info({ signal }, 'stopping');
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'did not stop cleanly');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}

main(process.argv.slice(2)).then(
  (status) => {
    if (status !== undefined) process.exitCode = status;
  },
  (error: unknown) => {
    process.stderr.write(`calico-libnetwork: ${messageOf(error)}\n`);
    if (!isFault(error))
      process.stderr.write(`${error instanceof Error ? (error.stack ?? '') : ''}\n`);
    process.exit(1);
  },
);
