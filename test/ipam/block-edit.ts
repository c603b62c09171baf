import fc from 'fast-check';
import t from 'tap';
import { Address, BlockEdit, Cidr, holderOf, newBlock, type Block } from '../../src/model/index.js';
import { blockAttribute, decodeBlock, encodeBlock } from '../../src/model/v3/index.js';

const cidr = Cidr.parse('10.20.3.64/28');
const NOW = 1_785_578_400_123;

t.test('a new block has every address free, in order', async (t) => {
  const block = newBlock(cidr, 'host:n1', NOW);
  t.equal(block.unallocated.length, 16);
  t.equal(block.sequenceNumber, BigInt(NOW) * 1_000_000n);
  t.same(
    JSON.parse(encodeBlock(block)).allocations,
    Array.from({ length: 16 }, () => null),
  );
});

t.test('text written by Calico survives a claim and a release to the letter', async (t) => {
  const text =
    '{"cidr":"10.20.3.64/30","affinity":"host:n1","affinity_claim_time":"2026-08-01T10:00:00Z","allocations":[0,1,null,null],' +
    '"unallocated":[2,3],"attributes":[{"handle_id":null,"secondary":null},{"handle_id":"ipip-tunnel-addr-n1","secondary":{"node":"n1","type":"ipipTunnelAddress"},"alternateOwnerAttrs":{"a":"b"}}],' +
    '"sequenceNumber":1785578400123456791,"sequenceNumberForAllocation":{"0":1785578400123456789,"1":1785578400123456790},"deleted":false,"future":{"n":12345678901234567890}}';
  const block = decodeBlock(text, NOW);
  t.equal(encodeBlock(block), text, 'unchanged when nothing changes');
  const edit = new BlockEdit(block);
  const address = edit.claimNext(blockAttribute('docker.n1.x', { node: 'n1' }), () => true);
  t.equal(String(address), '10.20.3.66');
  const claimed = encodeBlock(edit.finish());
  t.match(claimed, '"sequenceNumber":1785578400123456792');
  t.match(claimed, '"2":1785578400123456791', 'the slot has the number before the write');
  t.match(claimed, '{"handle_id":null,"secondary":null}');
  t.match(claimed, '"future":{"n":12345678901234567890}');
});

t.test('blocks that contradict themselves are refused', async (t) => {
  const base = { cidr: '10.0.0.0/30', affinity: 'host:a', attributes: [{}], sequenceNumber: 1 };
  for (const [allocations, unallocated] of [
    [
      [null, null, null, null],
      [0, 1, 2],
    ],
    [
      [0, null, null, null],
      [0, 1, 2],
    ],
    [
      [null, null, null, null],
      [0, 1, 2, 2],
    ],
    [
      [1, null, null, null],
      [1, 2, 3],
    ],
    [
      [null, null],
      [0, 1],
    ],
  ]) {
    t.throws(
      () => decodeBlock(JSON.stringify({ ...base, allocations, unallocated }), NOW),
      /cannot be read/,
    );
  }
  t.throws(() => decodeBlock('nonsense', NOW), /cannot be read/);
  t.throws(() => decodeBlock('{"cidr":"\\u0000int:5"}', NOW), /cannot be read/);
});

type Step =
  | { readonly claim: true }
  | { readonly claim: false; readonly pick: number }
  | { readonly address: number };

const steps = fc.array(
  fc.oneof(
    fc.constant<Step>({ claim: true }),
    fc.nat(15).map((pick): Step => ({ claim: false, pick })),
    fc.nat(15).map((address): Step => ({ address })),
  ),
  { maxLength: 60 },
);

/** The plainest possible block: a map from address to owner. */
function apply(model: Map<string, string>, block: Block, step: Step, owner: string): Block {
  const edit = new BlockEdit(block);
  const attribute = blockAttribute(owner, { node: 'n1' });
  if ('address' in step) {
    const address = cidr.addressAt(step.address);
    const holder = edit.claim(address, attribute);
    if (holder === undefined) model.set(address.toString(), owner);
  } else if (step.claim) {
    const address = edit.claimNext(attribute, () => true);
    if (address !== undefined) model.set(address.toString(), owner);
  } else {
    const held = [...model.keys()][step.pick];
    if (held !== undefined) {
      edit.release(Address.parse(held));
      model.delete(held);
    }
  }
  return edit.finish();
}

t.test(
  'any sequence of claims and releases agrees with a plain map, through the codec',
  async (t) => {
    fc.assert(
      fc.property(steps, (sequence) => {
        const model = new Map<string, string>();
        let block = newBlock(cidr, 'host:n1', NOW);
        for (const [index, step] of sequence.entries()) {
          const before = block.sequenceNumber;
          block = decodeBlock(encodeBlock(apply(model, block, step, `h${index}`)), NOW);
          if (block.sequenceNumber !== before + 1n) return false;
          for (let ordinal = 0; ordinal < 16; ordinal += 1) {
            const address = cidr.addressAt(ordinal);
            if (holderOf(block, address)?.handle !== model.get(address.toString())) return false;
          }
          if (block.attributes.length !== new Set(model.values()).size) return false;
        }
        return true;
      }),
      { numRuns: 300 },
    );
    t.pass('300 sequences');
  },
);
