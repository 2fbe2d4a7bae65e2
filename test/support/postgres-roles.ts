import pg from 'pg';
import type { Identity, TestPostgres } from './postgres.ts';

export interface DatawardRoles {
  readonly observe: Identity;
  readonly enforce: Identity;
  readonly verify: Identity;
}

export interface RoleOptions {
  /** Default `['public']`. */
  readonly schemas?: readonly string[];
  /** Makes dataward_enforce the owner of every table there, which dropping partitions needs. */
  readonly enforceOwnsTables?: boolean;
  /** Lets dataward_observe see other sessions in pg_stat_activity and pg_stat_ssl. */
  readonly statistics?: boolean;
}

/**
 * The three identities of a store, with no more rights than the documentation asks for: observe and verify read,
 * enforce also deletes and may create its own schema. Also covers tables the superuser creates later.
 * May be called again, e.g. for a second database: roles belong to the server, rights to the database.
 */
export async function ensureRoles(server: TestPostgres, database: string, options: RoleOptions = {}): Promise<DatawardRoles> {
  const roles = {
    observe: await ensureRole(server, 'dataward_observe'),
    enforce: await ensureRole(server, 'dataward_enforce'),
    verify: await ensureRole(server, 'dataward_verify'),
  };
  const statements = [
    `GRANT CONNECT ON DATABASE ${pg.escapeIdentifier(database)} TO dataward_observe, dataward_enforce, dataward_verify`,
    `GRANT CREATE ON DATABASE ${pg.escapeIdentifier(database)} TO dataward_enforce`,
    ...(options.statistics === true ? ['GRANT pg_read_all_stats TO dataward_observe'] : []),
    ...(options.schemas ?? ['public']).flatMap((name) => schemaGrants(name, options.enforceOwnsTables === true)),
  ];
  await server.query(statements.join(';\n'), undefined, database);
  return roles;
}

async function ensureRole(server: TestPostgres, name: string): Promise<Identity> {
  const [found] = await server.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [name]);
  return found === undefined ? server.createRole(name) : server.identityOf(name);
}

function schemaGrants(name: string, enforceOwnsTables: boolean): string[] {
  const schema = pg.escapeIdentifier(name);
  const readers = 'dataward_observe, dataward_enforce, dataward_verify';
  return [
    `GRANT USAGE ON SCHEMA ${schema} TO ${readers}`,
    `GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO ${readers}`,
    `GRANT DELETE ON ALL TABLES IN SCHEMA ${schema} TO dataward_enforce`,
    `ALTER DEFAULT PRIVILEGES IN SCHEMA ${schema} GRANT SELECT ON TABLES TO ${readers}`,
    `ALTER DEFAULT PRIVILEGES IN SCHEMA ${schema} GRANT DELETE ON TABLES TO dataward_enforce`,
    ...(enforceOwnsTables ? [takeOwnership(name)] : []),
  ];
}

function takeOwnership(schema: string): string {
  return `DO $$ DECLARE t regclass; BEGIN
    FOR t IN SELECT oid FROM pg_class WHERE relnamespace = ${pg.escapeLiteral(schema)}::regnamespace AND relkind IN ('r', 'p')
    LOOP EXECUTE format('ALTER TABLE %s OWNER TO dataward_enforce', t); END LOOP;
  END $$`;
}
