import fc from 'fast-check';
import t from 'tap';
import {
  bytesAttribute,
  decodeAttributes,
  decodeMessages,
  encodeMessage,
  macBytes,
  macText,
  numberAttribute,
  numberOf,
  textAttribute,
  textOf,
} from '../../src/netlink/wire.js';
import { faultOf } from '../fixtures/fault-of.js';

const bytes = fc.uint8Array({ maxLength: 40 });

t.test('messages survive the way there and back', async (t) => {
  const message = fc.record({
    type: fc.integer({ min: 0, max: 0xffff }),
    flags: fc.integer({ min: 0, max: 0xffff }),
    sequence: fc.integer({ min: 0, max: 0xffff_ffff }),
    // Attributes keep every message at a multiple of four, as the kernel's are.
    body: bytes.map((value) => bytesAttribute(1, value)),
  });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 5 }), (messages) => {
      const datagram = Buffer.concat(
        messages.map(({ type, flags, sequence, body }) =>
          encodeMessage(type, flags, sequence, [body]),
        ),
      );
      t.strictSame(
        decodeMessages(datagram),
        messages.map((one) => ({ ...one, port: 0 })),
      );
    }),
  );
});

t.test('attributes survive the way there and back', async (t) => {
  const attributes = fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 0x3fff }), bytes), {
    selector: ([type]) => type,
  });
  fc.assert(
    fc.property(attributes, (list) => {
      const encoded = Buffer.concat(list.map(([type, value]) => bytesAttribute(type, value)));
      const decoded = decodeAttributes(encoded);
      t.equal(decoded.size, list.length);
      for (const [type, value] of list) t.ok(decoded.get(type)?.equals(value));
      const [first] = list;
      if (first !== undefined) t.equal(decodeAttributes(encoded, 0, new Set([first[0]])).size, 1);
    }),
  );
});

t.test('values', async (t) => {
  t.equal(textOf(decodeAttributes(textAttribute(3, 'cali0')).get(3)), 'cali0');
  t.equal(textOf(undefined), '');
  t.equal(textOf(Buffer.from('unended')), 'unended');
  t.equal(numberOf(decodeAttributes(numberAttribute(4, 0xffff_fffe)).get(4)), 0xffff_fffe);
  t.equal(numberOf(Buffer.alloc(2)), undefined, 'too short for a number');
  t.equal(macText(Buffer.from(macBytes('EE:00:0a:ee:ee:01'))), 'ee:00:0a:ee:ee:01');
  t.equal(macText(Buffer.from([10, 0, 0, 1])), '0a:00:00:01', 'an IPIP device');
});

t.test('what cannot be is refused, not read past the end', async (t) => {
  const message = encodeMessage(1, 0, 1, [Buffer.alloc(4)]);
  message.writeUInt32LE(64, 0);
  t.match(await faultOf(() => decodeMessages(message)), { kind: 'internal' });
  message.writeUInt32LE(8, 0);
  t.match(await faultOf(() => decodeMessages(message)), { kind: 'internal' });
  const attribute = textAttribute(1, 'abc');
  for (const length of [0, 3, 64]) {
    attribute.writeUInt16LE(length, 0);
    t.match(await faultOf(() => decodeAttributes(attribute)), { reason: 'malformed-netlink' });
  }
  t.equal(decodeMessages(Buffer.alloc(7)).length, 0, 'less than a header is nothing');
});
