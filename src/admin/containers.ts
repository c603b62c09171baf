import type { FastifyInstance, FastifyReply } from 'fastify';
import { Type } from 'typebox';
import { Fault } from '../base/index.js';

/** Attaching containers by hand, as `calicoctl container` asks for it. */
export interface Containers {
  add(request: AddContainerRequest): Promise<AddContainerAnswer>;
  remove(request: RemoveContainerRequest): Promise<RemoveContainerAnswer>;
}

const Word = Type.String({ minLength: 1, maxLength: 253 });

export const AddContainerBody = Type.Object(
  { container: Word, address: Word, network: Type.Optional(Word) },
  { additionalProperties: false },
);
export type AddContainerRequest = Type.Static<typeof AddContainerBody>;

export const RemoveContainerBody = Type.Object(
  { container: Word },
  { additionalProperties: false },
);
export type RemoveContainerRequest = Type.Static<typeof RemoveContainerBody>;

export interface AddContainerAnswer {
  readonly container: string;
  readonly network: string;
  /** The network was made for it. */
  readonly isNew: boolean;
}

export interface RemoveContainerAnswer {
  readonly container: string;
  readonly networks: readonly string[];
}

export function addContainerRoutes(
  app: FastifyInstance,
  containers: Containers | undefined,
  json: (reply: FastifyReply, body: unknown) => FastifyReply,
): void {
  const given = (): Containers => {
    if (containers !== undefined) return containers;
    throw new Fault('unsupported', 'this daemon does not attach containers');
  };
  app.post<{ Body: AddContainerRequest }>(
    '/containers/add',
    { schema: { body: AddContainerBody } },
    async (request, reply) => json(reply, await given().add(request.body)),
  );
  app.post<{ Body: RemoveContainerRequest }>(
    '/containers/remove',
    { schema: { body: RemoveContainerBody } },
    async (request, reply) => json(reply, await given().remove(request.body)),
  );
}
