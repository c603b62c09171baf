import type { AddContainerRequest } from '../../admin/index.js';
import { Address } from '../../model/index.js';
import type { Io } from '../io.js';

/** container add: attaches a container that runs without a network, through the daemon of this host. */
export async function containerAddCommand(io: Io, request: AddContainerRequest): Promise<number> {
  const address = String(Address.parse(request.address));
  const { container, network, isNew } = await io.containers.add({ ...request, address });
  if (isNew) io.out(`Created network ${network}\n`);
  io.out(`Container ${container} has ${address} on network ${network}\n`);
  return 0;
}

/** container remove: takes it off again; its address is free. */
export async function containerRemoveCommand(io: Io, word: string): Promise<number> {
  const { container, networks } = await io.containers.remove({ container: word });
  io.out(`Container ${container} is off network ${networks.join(', ')}\n`);
  return 0;
}
