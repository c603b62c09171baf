import type { Command } from 'commander';
import { configured, subcommand, usage, type Finish, type Options } from './grammar.js';
import type { Io } from './io.js';

export function addPolicy(program: Command, io: Io, finish: Finish): void {
  const policy: Command = configured(program.command('policy'), io)
    .description('What policies do: who reaches whom, and why.')
    .action(() => policy.outputHelp());
  addShow(policy, io, finish);
  addTrace(policy, io, finish);
  addTest(policy, io, finish);
}

const ENDS = `
An end is an endpoint (its name, namespace/name, container name, or the beginning of its Docker
endpoint or container id), a node, or an address; an address that nobody has is outside.`;

function addShow(policy: Command, io: Io, finish: Finish): void {
  const show: Command = subcommand(policy, io, 'show', 'Show what decides about an endpoint.')
    .argument('[endpoint]', 'an endpoint or host endpoint')
    .option('-o, --output <format>', 'text or json', 'text')
    .action(async (word: string | undefined, options: Options) => {
      if (word === undefined) return usage(show, finish);
      const { policyShowCommand } = await import('./commands/policy-show.js');
      finish(await policyShowCommand(io, word, { ...options, output: String(options['output']) }));
    })
    .addHelpText(
      'after',
      `
Tiers, policies, profiles and their rules in the order in which they are asked, and on the host
where the endpoint is, beside each rule, how many packets and bytes it matched: of all endpoints of
that host that the rule applies to, since it was last written, and of a connection only the packets
until it is established.

Examples:
  $ calicoctl policy show web1
  $ calicoctl policy show node1-eth0 -o json`,
    );
}

function addTrace(policy: Command, io: Io, finish: Finish): void {
  const trace: Command = subcommand(policy, io, 'trace', 'Tell whether a flow passes, and why.')
    .option('--from <end>', 'where it comes from')
    .option('--to <end>', 'where it goes')
    .option('--port <protocol/port>', 'tcp/3306, udp/53, icmp, icmp/8/0 or a protocol number')
    .option('-o, --output <format>', 'text or json', 'text')
    .action(async (options: Options) => {
      const { from, to, port } = options;
      if (typeof from !== 'string' || typeof to !== 'string' || typeof port !== 'string') {
        return usage(trace, finish);
      }
      const { policyTraceCommand } = await import('./commands/policy-trace.js');
      const given = { ...options, from, to, port, output: String(options['output']) };
      finish(await policyTraceCommand(io, given));
    })
    .addHelpText(
      'after',
      `${ENDS}

Asked is the datastore, not the kernel; both ends are told, also when the first denies. Each host is
taken as FelixConfiguration default and node.NAME say; FELIX_ variables of daemons are not known here.
Masquerading and published ports are not considered.

Exit status: 0 the flow passes, 2 it is denied, 1 it could not be found out.

Examples:
  $ calicoctl policy trace --from frontend1 --to db1 --port tcp/3306
  $ calicoctl policy trace --from 198.51.100.7 --to node1 --port tcp/22 -o json`,
    );
}

function addTest(policy: Command, io: Io, finish: Finish): void {
  const test: Command = configured(policy.command('test'), io)
    .description('Check manifests against expected verdicts, without a datastore.')
    .option('-f, --filename <file>', "file with the cases; '-' is standard input")
    .option('-o, --output <format>', 'text or json', 'text')
    .action(async (options: Options) => {
      const { filename } = options;
      if (typeof filename !== 'string') return usage(test, finish);
      const { policyTestCommand } = await import('./commands/policy-test.js');
      finish(await policyTestCommand(io, { filename, output: String(options['output']) }));
    })
    .addHelpText(
      'after',
      `
The file:
  manifests:                  # files or folders, from where this file is; v3 and v1
  - policies.yaml
  endpoints:                  # containers to test with, beside those of the manifests
  - name: web
    labels: {role: frontend}
    profiles: [frontend]      # none when left out
    namespace: default        # as here when left out
    node: node1               # as here when left out
    addresses: [10.0.0.1]     # one of each family is made up when left out
    ports: [{name: http, protocol: TCP, port: 80}]
  - name: db
    labels: {role: database}
  settings: {hostReach: own}  # may be left out
  cases:
  - name: the frontend reaches the database   # may be left out
    from: web
    to: db
    port: tcp/3306
    expect: allow             # or deny
    because: policy database  # part of what the deciding rule is called; may be left out
${ENDS}

Exit status: 0 all cases are as expected, 2 some are not, 1 a file cannot be used.

Examples:
  $ calicoctl policy test -f cases.yaml
  $ calicoctl policy test -f cases.yaml -o json`,
    );
}
