import type { StoreDriver } from '../port.ts';
import { connect } from './connection.ts';
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
      const connection = await connect(target, credential, options, { readOnly: false });
      return createWriter(createReader(connection), connection);
    },
  };
}
