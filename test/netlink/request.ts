import t from 'tap';
import { Answer, repeatDump, type NetlinkRequest } from '../../src/netlink/request.js';
import {
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
  type Message,
} from '../../src/netlink/wire.js';
import { faultOf } from '../fixtures/fault-of.js';

const request: NetlinkRequest = { what: 'cannot list links', type: 18, parts: [] };

function message(type: number, flags = 0, code = 0): Message {
  const body = Buffer.alloc(4);
  body.writeInt32LE(code);
  return { type, flags, sequence: 1, port: 0, body };
}

function answer(...messages: readonly Message[]): Answer {
  const made = new Answer();
  for (const each of messages) made.add(each);
  return made;
}

t.test('an answer ends with an acknowledgement or the end of a dump', async (t) => {
  t.notOk(answer(message(16)).complete);
  t.ok(answer(message(16), message(NLMSG_DONE)).complete);
  const acknowledged = answer(message(16), message(NLMSG_ERROR)).check('it');
  t.equal(acknowledged.messages.length, 1);
});

t.test('an errno becomes a fault', async (t) => {
  for (const [errno, wanted] of [
    [1, { kind: 'refused' }],
    [3, { kind: 'not-found' }],
    [17, { kind: 'exists' }],
    [19, { kind: 'not-found', reason: 'no-such-link' }],
    [22, { kind: 'internal' }],
    [34, { kind: 'invalid' }],
    [95, { kind: 'unsupported' }],
    [100, { kind: 'unavailable', reason: 'link-down' }],
    [524, { kind: 'internal' }],
  ] as const) {
    const failed = answer(message(NLMSG_ERROR, 0, -errno));
    const fault = await faultOf(() => failed.check('cannot list links'));
    t.match(fault, { ...wanted, details: { errno }, message: /^cannot list links: / });
  }
  t.match(await faultOf(() => answer(message(NLMSG_DONE, 0, -19)).check('it')), {
    kind: 'not-found',
  });
});

t.test('an interrupted dump is repeated, and not for ever', async (t) => {
  const interrupted = (): Answer =>
    answer(message(16, NLM_F_DUMP_INTR), message(16), message(NLMSG_DONE));
  const whole = answer(message(16), message(NLMSG_DONE));
  let sent = 0;
  const send = async (dump: NetlinkRequest): Promise<Answer> => {
    t.equal(dump.flags, NLM_F_DUMP);
    sent += 1;
    return sent < 3 ? interrupted() : whole;
  };
  t.equal((await repeatDump(request, send)).length, 1);
  t.equal(sent, 3);
  sent = 0;
  const never = async (): Promise<Answer> => {
    sent += 1;
    return interrupted();
  };
  t.equal((await repeatDump(request, never)).length, 2, 'the last is taken as it is');
  t.equal(sent, 5);
});
