import { Fault } from '../base/index.js';

/** The reason word of everything that is refused because another datastore answers than before. */
export const DATASTORE_EXCHANGED = 'datastore-exchanged';

/** What every call is refused with once it was noticed that another datastore answers than before. */
export function exchangedFault(why: string): Fault {
  return new Fault(
    'refused',
    `the datastore was exchanged: ${why}; addresses of running containers are claimed again first, try again then`,
    { reason: DATASTORE_EXCHANGED, details: { why } },
  );
}

/** A write that was answered by the other datastore: it was computed from what that one may never have had. */
export function exchangedUnderWrite(fault: Fault): Fault {
  const { message, reason } = fault;
  return new Fault('outcome-unknown', message, { reason, cause: fault });
}
