/** IP's name of a protocol whose ports can be published. */
export type PortProtocol = 'tcp' | 'udp' | 'sctp';

/** What a user asks for with `-p`. */
export interface PortBinding {
  readonly protocol: PortProtocol;
  /** The container's. */
  readonly port: number;
  /** An address of this host; empty: all of them. */
  readonly hostAddress: string;
  /** 0: any that is free. */
  readonly hostPort: number;
  /** The last of a range, of which the first free one is taken; otherwise `hostPort`. */
  readonly hostPortEnd: number;
}

/** A port of this host that leads to one of a container. Addresses as text, for it is kept on file. */
export interface PublishedPort {
  readonly protocol: PortProtocol;
  /** Empty: all addresses of this host, of the family of `address`. */
  readonly hostAddress: string;
  readonly hostPort: number;
  /** The container's. */
  readonly address: string;
  readonly port: number;
}

/** As an operator reads it: `0.0.0.0:8080/tcp`. */
export function publishedAt({ protocol, hostAddress, hostPort, address }: PublishedPort): string {
  const six = address.includes(':');
  const host = hostAddress === '' ? (six ? '::' : '0.0.0.0') : hostAddress;
  return `${six ? `[${host}]` : host}:${hostPort}/${protocol}`;
}
