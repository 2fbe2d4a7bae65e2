import { digestOf } from '../canonical.ts';
import type { SessionFacts, StoreIdentity } from '../facts.ts';
import type { Connection } from './connection.ts';
import { readFence } from './fence.ts';
import { utcText } from './sql.ts';

/**
 * What store this is. A physical copy keeps the system identifier, so only the marker tells a restored or cloned
 * database from its original once the `dataward` schema was installed anew.
 *
 * @throws StoreError `PermissionDenied` when the marker is there but may not be read
 */
export async function readIdentity(connection: Connection): Promise<StoreIdentity> {
  const { rows } = await connection.query<{ system: string; database: string; version: string; timeline: number; replica: boolean }>(`
    SELECT s.system_identifier::text AS system, d.oid::text AS database, current_setting('server_version') AS version, pg_is_in_recovery() AS replica,
      CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())
        -- The control file still names the old timeline between a promotion and the next checkpoint.
        ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int END AS timeline
    FROM pg_control_system() s, pg_database d WHERE d.datname = current_database()`);
  const row = rows[0];
  if (row === undefined) throw new TypeError('The identity query gives one row.');
  const marker = (await readFence(connection))?.marker;
  const watermark = marker === undefined ? undefined : await readWatermark(connection);
  const bare = { engine: 'PostgreSQL', system: row.system, database: row.database };
  return {
    fingerprint: digestOf({ ...bare, marker }),
    bareFingerprint: digestOf(bare),
    server: `PostgreSQL ${row.version.split(' ')[0] ?? ''}`,
    timeline: row.timeline,
    ...(watermark === undefined ? {} : { watermark }),
    replica: row.replica,
  };
}

/** Every takeover and every batch of every run raises it, in the transaction that deletes. Claims are never removed. */
async function readWatermark(connection: Connection): Promise<number | undefined> {
  const { rows } = await connection.query<{ readable: boolean }>(`SELECT has_table_privilege('dataward.claim', 'SELECT') AS readable`);
  if (rows[0]?.readable !== true) return undefined;
  const mark = await connection.query<{ mark: string }>('SELECT coalesce(sum(epoch + last_seq), 0)::text AS mark FROM dataward.claim');
  return Number(mark.rows[0]?.mark ?? 0);
}

/** The server's clock, which fixes a run's cutoffs: RFC 3339, UTC, microseconds. */
export async function readClock(connection: Connection): Promise<string> {
  const { rows } = await connection.query<{ now: string }>(`SELECT ${utcText('clock_timestamp()')} AS now`);
  return rows[0]?.now ?? '';
}

/**
 * Who is connected how, as the server sees it: clients of this database and replication, which carries all of
 * them. Connections through a socket file never leave the machine and are not counted.
 */
export async function readSessions(connection: Connection): Promise<SessionFacts> {
  const { rows } = await connection.query<{ total: number; plaintext: number; complete: boolean }>(`
    SELECT count(*)::int AS total, count(*) FILTER (WHERE s.ssl IS FALSE)::int AS plaintext,
      pg_has_role('pg_read_all_stats', 'USAGE') OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS complete
    FROM pg_stat_activity a LEFT JOIN pg_stat_ssl s ON s.pid = a.pid
    WHERE (a.datname = current_database() AND coalesce(a.backend_type, 'client backend') = 'client backend' OR a.backend_type = 'walsender')
      AND coalesce(a.client_port, 0) >= 0`);
  const own = await connection.query<{ ssl: boolean; version: string | null; server: string | null; server_port: number | null; client: string | null; client_port: number | null }>(`
    SELECT s.ssl, s.version, host(inet_server_addr()) AS server, inet_server_port() AS server_port, host(inet_client_addr()) AS client, inet_client_port() AS client_port
    FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid()`);
  const [all, mine] = [rows[0], own.rows[0]];
  if (all === undefined) throw new TypeError('An aggregate without GROUP BY gives one row.');
  const { socket } = connection;
  // Address translation in between changes one end at most; a pooler has a connection of its own and changes both.
  const sameServer = mine?.server === socket.remoteAddress && mine?.server_port === socket.remotePort;
  const sameClient = mine?.client === socket.localAddress && mine?.client_port === socket.localPort;
  return {
    ...all,
    own: { tls: mine?.ssl ?? false, ...(mine?.version == null ? {} : { version: mine.version }), serverAddressMatches: mine !== undefined && (sameServer || sameClient) },
  };
}
