import { Agent, request as httpRequest } from 'node:http';

/** Single calls of the Docker API, on one kept connection per call in flight. */
export interface DockerApi {
  call(method: string, path: string, body?: unknown): Promise<Record<string, unknown>>;
  close(): void;
}

export function connectDocker(socketPath: string): DockerApi {
  const agent = new Agent({ keepAlive: true });
  return {
    call: (method, path, body) =>
      new Promise((resolve, reject) => {
        const payload = body === undefined ? '' : JSON.stringify(body);
        const headers = {
          Host: 'docker',
          'Content-Type': 'application/json',
          'Content-Length': Buffer.byteLength(payload),
        };
        const request = httpRequest({ socketPath, method, path, agent, headers }, (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            if ((response.statusCode ?? 0) >= 400)
              reject(new Error(`${method} ${path}: ${response.statusCode} ${text.trim()}`));
            else resolve(text === '' ? {} : (JSON.parse(text) as Record<string, unknown>));
          });
        });
        request.on('error', reject);
        request.end(payload);
      }),
    close: () => agent.destroy(),
  };
}
