import type { Credential, OpenOptions, StoreDriver, StoreTarget } from '../port.ts';
import { connect } from './connection.ts';
import type { Connection } from './connection.ts';
import { createReader } from './reader.ts';
import { probeTransport } from './transport.ts';
import { createWriter } from './writer.ts';

/** PostgreSQL 14 and later. */
export function createPostgresDriver(): StoreDriver {
  return {
    engine: 'PostgreSQL',
    probeTransport,
    openReader: async (target, credential, options) => createReader(await connect(target, credential, options, { readOnly: true })),
    openWriter: async (target, credential, options) => {
      const connection = await openWriting(target, credential, options);
      return createWriter({
        reader: createReader(connection),
        connection,
        connect: (signal) => openWriting(target, credential, { ...options, signal: options.signal === undefined ? signal : AbortSignal.any([options.signal, signal]) }),
      });
    },
  };
}

function openWriting(target: StoreTarget, credential: Credential, options: OpenOptions): Promise<Connection> {
  return connect(target, credential, options, { readOnly: false });
}
