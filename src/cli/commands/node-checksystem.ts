import type { Io } from '../io.js';

/** What the kernel must have, and what some configurations want; the option says how it is built in. */
const MODULES: readonly {
  readonly name: string;
  readonly option: string;
  /** What does not work without it; a module without this word is required. */
  readonly optional?: string;
}[] = [
  { name: 'veth', option: 'CONFIG_VETH' },
  { name: 'nf_tables', option: 'CONFIG_NF_TABLES' },
  { name: 'nf_conntrack', option: 'CONFIG_NF_CONNTRACK' },
  { name: 'nf_conntrack_netlink', option: 'CONFIG_NF_CT_NETLINK' },
  { name: 'nf_nat', option: 'CONFIG_NF_NAT' },
  { name: 'nft_ct', option: 'CONFIG_NFT_CT' },
  { name: 'nft_masq', option: 'CONFIG_NFT_MASQ' },
  { name: 'nft_fib', option: 'CONFIG_NFT_FIB' },
  { name: 'ipip', option: 'CONFIG_NET_IPIP', optional: 'pools with ipipMode; use vxlanMode' },
  { name: 'vxlan', option: 'CONFIG_VXLAN', optional: 'pools with vxlanMode' },
];

const OLDEST_KERNEL = [5, 10] as const;
const BIRD = ['/usr/sbin/bird', '/usr/local/sbin/bird', '/usr/bin/bird', '/usr/local/bin/bird'];

/** node checksystem: what this host lacks, line by line as calicoctl prints it; 1 when something needed is missing. */
export async function checkSystemCommand(io: Io): Promise<number> {
  const read = (path: string): string | undefined => io.inputs.readFile(path);
  const release = (read('/proc/sys/kernel/osrelease') ?? '').trim();
  io.out('Checking kernel version...\n');
  const kernelFits = isRecent(release);
  row(io, release, kernelFits ? 'OK' : `missing: ${OLDEST_KERNEL.join('.')} or later is needed`);
  io.out('Checking kernel modules...\n');
  const kernel = kernelTexts(read, release);
  let complete = kernelFits;
  for (const { name, option, optional } of MODULES) {
    const found = hasModule(io, kernel, name, option);
    if (!found && optional === undefined) complete = false;
    const without = optional === undefined ? 'missing' : `missing (optional: ${optional})`;
    row(io, name, found ? 'OK' : without);
  }
  io.out('Checking programs...\n');
  const bird = BIRD.some((path) => io.files.exists(path));
  row(io, 'bird', bird ? 'OK' : 'missing (optional: BGP; install bird2, or bird on EL)');
  if (complete) {
    io.out('System meets minimum system requirements to run Calico!\n');
    return 0;
  }
  io.err("system doesn't meet one or more minimum systems requirements to run Calico\n");
  return 1;
}

function row(io: Io, name: string, verdict: string): void {
  io.out(`\t\t${name.padEnd(20)}\t\t\t\t\t${verdict}\n`);
}

function isRecent(release: string): boolean {
  const [major = 0, minor = 0] = release.split('.').map((part) => parseInt(part, 10));
  return major > OLDEST_KERNEL[0] || (major === OLDEST_KERNEL[0] && minor >= OLDEST_KERNEL[1]);
}

interface KernelTexts {
  readonly loaded: string;
  /** Paths of modules that are built in or can be loaded. */
  readonly modules: string;
  readonly configuration: string;
}

function kernelTexts(read: (path: string) => string | undefined, release: string): KernelTexts {
  const folder = `/lib/modules/${release}`;
  const built = ['modules.builtin', 'modules.dep'].map((name) => read(`${folder}/${name}`) ?? '');
  return {
    loaded: read('/proc/modules') ?? '',
    modules: built.join('\n'),
    configuration: read(`/boot/config-${release}`) ?? '',
  };
}

function hasModule(io: Io, kernel: KernelTexts, name: string, option: string): boolean {
  const spelled = name.replaceAll('_', '[-_]');
  return (
    io.files.exists(`/sys/module/${name}`) ||
    new RegExp(`^${name} `, 'm').test(kernel.loaded) ||
    new RegExp(`/${spelled}\\.ko`).test(kernel.modules) ||
    new RegExp(`^${option}=[ym]$`, 'm').test(kernel.configuration)
  );
}
