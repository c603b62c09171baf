import { createServer } from 'node:http';
import { rm } from 'node:fs/promises';

/**
 * As much of the Docker API as the predecessor needs: in Leave it lists all containers and looks for its endpoint.
 * `endpoints` maps EndpointID to address.
 */
export interface ContainerListing {
  readonly endpoints: Map<string, string>;
  close(): void;
}

const bodyOf = (networkId: string, endpointId: string, address: string): object => ({
  Id: endpointId,
  Names: [`/load-${endpointId.slice(0, 12)}`],
  Image: 'busybox',
  ImageID: `sha256:${endpointId}`,
  Command: 'sleep 1000',
  Created: 1_700_000_000,
  Ports: [],
  Labels: {},
  State: 'running',
  Status: 'Up 1 second',
  HostConfig: { NetworkMode: 'load' },
  NetworkSettings: {
    Networks: {
      load: { NetworkID: networkId, EndpointID: endpointId, IPAddress: address, IPPrefixLen: 32 },
    },
  },
  Mounts: [],
});

/** Serves the listing at a socket path until `close`. */
export async function serveContainerListing(
  path: string,
  networkId: string,
): Promise<ContainerListing> {
  const endpoints = new Map<string, string>();
  await rm(path, { force: true });
  const server = createServer((request, response) => {
    response.setHeader('Content-Type', 'application/json');
    response.setHeader('Api-Version', '1.41');
    response.setHeader('Ostype', 'linux');
    const url = request.url ?? '';
    if (url.includes('/_ping')) response.end('OK');
    else if (url.includes('/containers/json')) {
      response.end(
        JSON.stringify([...endpoints].map(([id, address]) => bodyOf(networkId, id, address))),
      );
    } else if (url.includes('/version')) response.end('{"ApiVersion":"1.41","Version":"20.10.24"}');
    else {
      response.statusCode = 404;
      response.end('{"message":"page not found"}');
    }
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    endpoints,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
