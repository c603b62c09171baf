import { readFile } from 'node:fs/promises';
import { Fault, messageOf } from '../../base/index.js';

/** Each member is PEM text or the path of a PEM file; `ca` absent means the system's authorities. */
export interface EtcdTlsOptions {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export interface TlsMaterial {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

const isPem = (text: string): boolean => text.includes('-----BEGIN ');

async function load(text: string | undefined, what: string): Promise<Buffer | undefined> {
  if (text === undefined || text === '') return undefined;
  if (isPem(text)) return Buffer.from(text);
  try {
    return await readFile(text);
  } catch (error) {
    throw new Fault('invalid', `cannot read the etcd ${what} file ${text}: ${messageOf(error)}`, {
      reason: 'tls-file',
      cause: error,
    });
  }
}

/** Reads the files anew, so that a renewed certificate is used at the next connection. */
export async function loadTls(
  options: EtcdTlsOptions | undefined,
): Promise<TlsMaterial | undefined> {
  if (options === undefined) return undefined;
  const [ca, cert, key] = await Promise.all([
    load(options.ca, 'CA certificate'),
    load(options.cert, 'client certificate'),
    load(options.key, 'client key'),
  ]);
  if ((cert === undefined) !== (key === undefined)) {
    const missing = cert === undefined ? 'certificate' : 'key';
    throw new Fault(
      'invalid',
      `the etcd client ${missing} is missing: give certificate and key, or none`,
      {
        reason: 'tls-file',
      },
    );
  }
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
}

export function sameTls(a: TlsMaterial | undefined, b: TlsMaterial | undefined): boolean {
  const parts = ['ca', 'cert', 'key'] as const;
  return parts.every((part) => {
    const [x, y] = [a?.[part], b?.[part]];
    return x === y || (x !== undefined && y !== undefined && x.equals(y));
  });
}
