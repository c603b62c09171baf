// A host in namespaces of its own: an agent with so many endpoints, two of them real containers. It is
// told on standard input what to measure, one word a line, and answers each with a line of JSON.
//
//   policy-child.ts ENDPOINTS
import { createInterface } from 'node:readline';
import { BenchHost } from './policy-host.js';

const host = await BenchHost.start(Number(process.argv[2]));
console.log(JSON.stringify({ ready: true }));
for await (const line of createInterface(process.stdin)) {
  const value = await host.measure(line);
  console.log(JSON.stringify({ value }));
}
await host.stop();
process.exit(0);
