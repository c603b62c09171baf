import { Type } from 'typebox';
import type { CountedList } from '../model/index.js';

/** What the daemon tells of its host's kernel, as it stands on the wire. */
export interface HostInsight {
  counters(endpoint: CountersRequest): Promise<CountersAnswer>;
  flows(): Promise<FlowsAnswer>;
}

export const CountersBody = Type.Object(
  {
    kind: Type.Union([Type.Literal('workload'), Type.Literal('host')]),
    /** Docker's endpoint ID for ours, else the stored key; a host endpoint's name. */
    id: Type.String({ minLength: 1, maxLength: 1024 }),
  },
  { additionalProperties: false },
);
export type CountersRequest = Type.Static<typeof CountersBody>;

interface Answer {
  /** The node that the daemon is. */
  readonly node: string;
  /** `external`: the Felix of this host enforces policy; nothing is known here. */
  readonly dataplane: 'internal' | 'external';
}

/** Without lists the endpoint is not judged by this host. */
export interface CountersAnswer extends Answer {
  readonly lists?: readonly CountedList[];
}

/** A connection with addresses as text. */
export interface WireFlow {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly icmpType?: number;
  readonly icmpCode?: number;
}

/** The connections of this host's containers, and of its own processes. */
export interface FlowsAnswer extends Answer {
  readonly hostAddresses: readonly string[];
  /** Its interfaces but those of containers, with addresses as text. */
  readonly interfaces?: readonly { readonly name: string; readonly addresses: readonly string[] }[];
  readonly flows: readonly WireFlow[];
  /** There were too many to tell all. */
  readonly isPartial: boolean;
}
