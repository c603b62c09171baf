import t from 'tap';
import { Fault } from '../../src/base/index.js';
import { passGate } from '../../src/ipam/gate.js';
import type { AllocationGate } from '../../src/ipam/ports.js';

const lost = { ok: false, reason: 'hold-lost', message: 'the name was lost' } as const;

t.test('an open gate costs nothing', async (t) => {
  const gate: AllocationGate = {
    mayAllocate: () => ({ ok: true }),
    decided: () => {
      throw new Error('asked for nothing');
    },
  };
  await passGate(gate, AbortSignal.timeout(1000));
  t.pass();
});

t.test('a name that is claimed again meanwhile lets the request pass', async (t) => {
  let held = false;
  let claim: () => void = () => undefined;
  const gate: AllocationGate = {
    mayAllocate: () => (held ? { ok: true } : lost),
    decided: () => new Promise<void>((resolve) => (claim = resolve)),
  };
  const passing = passGate(gate, AbortSignal.timeout(5000));
  held = true;
  claim();
  await passing;
  t.pass();
});

t.test('what stands in the way is told when the wait was in vain', async (t) => {
  const gate: AllocationGate = {
    mayAllocate: () => lost,
    decided: () => Promise.reject(new Fault('timeout', 'waited in vain')),
  };
  await t.rejects(passGate(gate, AbortSignal.timeout(5000)), {
    kind: 'refused',
    reason: 'hold-lost',
    message: 'the name was lost',
  });
});

t.test('a rival is no reason to wait', async (t) => {
  const gate: AllocationGate = { mayAllocate: () => lost };
  await t.rejects(passGate(gate, AbortSignal.timeout(5000)), { message: 'the name was lost' });
});
