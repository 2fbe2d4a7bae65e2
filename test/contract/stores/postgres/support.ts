import type { OpenOptions, StoreTarget } from '../../../../src/stores/port.ts';
import { connect } from '../../../../src/stores/postgres/connection.ts';
import type { Connection } from '../../../../src/stores/postgres/connection.ts';
import type { SessionSettings } from '../../../../src/stores/postgres/settings.ts';
import type { Identity, TestPostgres } from '../../../support/postgres.ts';

/** How the driver is told about a test server. */
export function targetOf(server: TestPostgres, changes: Partial<StoreTarget> = {}): StoreTarget {
  return { name: 'shop/main', host: server.host, port: server.port, database: 'postgres', caPem: server.caPem, serverName: server.serverName, replicas: [], ...changes };
}

/** A login of the driver's own kind; the superuser and database `postgres` when left out. */
export function login(
  server: TestPostgres,
  { identity = server.superuser, database = 'postgres', purpose = 'observe' as OpenOptions['purpose'], settings = { readOnly: true } as SessionSettings } = {},
): Promise<Connection> {
  return connect(targetOf(server, { database }), { type: 'password', username: identity.user, password: identity.password }, { purpose }, settings);
}

/** A role that may read all rows and change nothing. */
export async function createReader(server: TestPostgres, name: string, attributes = ''): Promise<Identity> {
  const identity = await server.createRole(name, attributes);
  await server.query(`GRANT pg_read_all_data TO ${name}`);
  return identity;
}
