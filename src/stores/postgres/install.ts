import { StoreError } from '../errors.ts';
import type { FenceState } from '../fence.ts';
import type { Connection } from './connection.ts';
import { readFence } from './fence.ts';
import { addToSchema } from './schema-additions.ts';
import { CREATE_VERSION_1, INSTALL_LOCK, SCHEMA_VERSION } from './schema.ts';
import { quoteIdentifier } from './sql.ts';
import { changing } from './transaction.ts';

/**
 * Creates or upgrades the `dataward` schema; does nothing where it is up to date. `readers` are login roles that
 * get SELECT on it.
 *
 * @throws StoreError `ForeignOwner` when another cluster, or something that is not dataward, has the schema;
 *   `UnsupportedVersion` when a newer dataward wrote it; `AuthenticationFailed` for a reader role that does not exist
 */
export async function install(connection: Connection, options: { owner: string; readers: string[] }): Promise<FenceState> {
  await changing(connection, { lockTimeoutMs: 30_000, statementTimeoutMs: 60_000 }, async () => {
    // Two operators that start together would both find nothing and one would fail half-way.
    await connection.query(`SELECT ${INSTALL_LOCK}`);
    if (await installed(connection, options.owner)) await addToSchema(connection);
    else await create(connection, options.owner);
    await grant(connection, options.readers);
  });
  const state = await readFence(connection);
  if (state === undefined) throw new StoreError('Conflict', 'The schema dataward was installed but a fresh read does not show it. Something else drops it; find it before anything is purged.');
  return state;
}

async function installed(connection: Connection, owner: string): Promise<boolean> {
  const { rows } = await connection.query<{ objects: string; installation: boolean; mine: boolean }>(
    `SELECT (SELECT count(*) FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid) AS objects,
            EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid AND c.relname = 'installation') AS installation,
            pg_catalog.pg_has_role(n.nspowner, 'USAGE') AS mine
     FROM pg_catalog.pg_namespace n WHERE n.nspname = 'dataward'`,
  );
  const schema = rows[0];
  if (schema === undefined) return false;
  if (!schema.mine) throw new StoreError('ForeignOwner', 'The schema dataward belongs to a role that is not the enforce login. ALTER SCHEMA dataward OWNER TO the enforce role, or use the login that owns it.');
  if (!schema.installation) {
    if (schema.objects === '0') return false;
    throw new StoreError('ForeignOwner', 'A schema named dataward exists in this database and was not made by dataward. Rename it; dataward keeps its holds and its journal under that name.');
  }
  const found = await connection.query<{ owner: string; version: number }>('SELECT owner, version FROM dataward.installation');
  const installation = found.rows[0];
  if (installation === undefined) throw new StoreError('ForeignOwner', 'dataward.installation has no row, so it is unknown which cluster owns this store. Restore the row before anything is purged.');
  if (installation.owner !== owner) {
    throw new StoreError('ForeignOwner', `The store is owned by ${installation.owner}, not by ${owner}. Only one cluster may purge a store; remove the DataStore here, or let a DBA update owner in dataward.installation and dataward.fence after the other cluster was stopped.`);
  }
  if (installation.version > SCHEMA_VERSION) {
    throw new StoreError('UnsupportedVersion', `The schema dataward has version ${installation.version}; this dataward knows versions up to ${SCHEMA_VERSION}. Use the newer release.`);
  }
  return true;
}

async function create(connection: Connection, owner: string): Promise<void> {
  await connection.query('CREATE SCHEMA IF NOT EXISTS dataward');
  for (const statement of CREATE_VERSION_1) await connection.query(statement);
  await connection.query('INSERT INTO dataward.installation (owner, version) VALUES ($1, $2)', [owner, SCHEMA_VERSION]);
  await connection.query('INSERT INTO dataward.fence (owner) VALUES ($1)', [owner]);
}

async function grant(connection: Connection, readers: readonly string[]): Promise<void> {
  for (const reader of new Set(readers)) {
    const { rows } = await connection.query<{ exists: boolean; granted: boolean | null }>(
      `SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1) AS exists,
              (SELECT has_schema_privilege(r.oid, 'dataward', 'USAGE') AND bool_and(has_table_privilege(r.oid, c.oid, 'SELECT'))
               FROM pg_catalog.pg_roles r, pg_catalog.pg_class c
               WHERE r.rolname = $1 AND c.relkind = 'r' AND c.relnamespace = 'dataward'::regnamespace GROUP BY r.oid) AS granted`,
      [reader],
    );
    if (rows[0]?.exists !== true) throw new StoreError('AuthenticationFailed', `There is no database role ${reader} to read the schema dataward; create it, or correct the credential's user name.`);
    if (rows[0].granted === true) continue;
    await connection.query(`GRANT USAGE ON SCHEMA dataward TO ${quoteIdentifier(reader)}`);
    await connection.query(`GRANT SELECT ON ALL TABLES IN SCHEMA dataward TO ${quoteIdentifier(reader)}`);
  }
}
