import type { LabHost } from '../test/fixtures/lab-host.js';
import { waitFor } from '../test/fixtures/lab-process.js';

/** Programs that print a line for each change, whoever makes it. */
const MONITORS: readonly (readonly [string, ...string[]])[] = [
  ['ip', 'monitor', 'link', 'address', 'route', 'rule'],
  ['nft', 'monitor'],
];
/** In every change that the bench makes itself, to see that the monitors listen and have printed what came before. */
const MARKS = ['192.0.2.1', 'bench_mark'];

/** Counts changes of links, addresses, routes, rules and nftables in a host from now on. */
export async function watchKernel(host: LabHost): Promise<{ end(): Promise<number> }> {
  const monitors = await Promise.all(
    MONITORS.map(([program, ...args]) => host.spawn(program, args)),
  );
  const mark = async (): Promise<void> => {
    const [address = '', table = ''] = MARKS;
    await host.must('ip', ['route', 'add', 'blackhole', address]);
    await host.must('ip', ['route', 'del', 'blackhole', address]);
    await host.must('nft', ['add', 'table', 'inet', table]);
    await host.must('nft', ['delete', 'table', 'inet', table]);
  };
  const lengths = (): number[] => monitors.map((one) => one.log().length);
  const seen = async (): Promise<void> => {
    const before = lengths();
    await waitFor('the monitors to see a change', async () => {
      await mark();
      return lengths().every((length, at) => length > (before[at] ?? 0));
    });
  };
  await seen();
  return {
    end: async () => {
      await seen();
      for (const monitor of monitors) await monitor.end();
      const lines = monitors.flatMap((one) => one.log().split('\n')).map((line) => line.trim());
      return lines.filter(
        (line) =>
          line !== '' && !line.startsWith('#') && !MARKS.some((text) => line.includes(text)),
      ).length;
    },
  };
}
