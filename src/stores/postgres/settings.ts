import { StoreError } from '../errors.ts';
import type { StoreTarget } from '../port.ts';

/** Older servers lack TID range scans and numeric infinities. */
const oldestServer = 140_000;

/** No statement of the driver asks the server for more than this. */
export const longestStatementMs = 600_000;

export interface SessionSettings {
  /** Readers: every transaction is read-only unless it says otherwise. */
  readOnly: boolean;
  /** Default 60,000. */
  statementTimeoutMs?: number;
  /** Default 2,000. */
  lockTimeoutMs?: number;
}

type Query = <Row extends Record<string, unknown>>(text: string, values: readonly unknown[]) => Promise<{ rows: Row[] }>;

/** What a server older than `oldestServer` is answered. */
export function tooOld(target: StoreTarget): StoreError {
  return new StoreError('UnsupportedVersion', `DataStore ${target.name}: the server is older than PostgreSQL 14, which dataward needs; upgrade it.`);
}

/** Settings that decide what rows a statement sees and what its values mean; the same whatever the role's or database's own. */
export function pinnedSettings(settings: SessionSettings): Record<string, string> {
  return {
    TimeZone: 'UTC',
    DateStyle: 'ISO, MDY',
    IntervalStyle: 'iso_8601',
    extra_float_digits: '1',
    search_path: '',
    bytea_output: 'hex',
    // Rows that a policy hides become an error instead of a smaller count.
    row_security: 'off',
    default_transaction_read_only: settings.readOnly ? 'on' : 'off',
    statement_timeout: String(settings.statementTimeoutMs ?? 60_000),
    lock_timeout: String(settings.lockTimeoutMs ?? 2_000),
    // A stopped process must not keep the fence row locked.
    idle_in_transaction_session_timeout: '10000',
    // The server ends a long statement soon after we are gone.
    client_connection_check_interval: '1000',
  };
}

/** As startup options, so that they hold from the first statement and no role setting comes after them. */
export function startupOptions(pinned: Record<string, string>): string {
  return Object.entries(pinned)
    .map(([name, value]) => `-c ${name}=${value.replaceAll(/[\\ ]/g, '\\$&')}`)
    .join(' ');
}

/**
 * Asks the server itself who answers and with which settings. A pooler in between may drop startup options, and then
 * rows could be hidden or the fence be locked for ever; and it may give each transaction another server process, on
 * which neither settings nor prepared statements are those of this login.
 *
 * @param announced process id the login was told, undefined when none was; a pooler tells one of its own making
 * @returns `server_version_num`
 * @throws StoreError `PoolerRefused`, `UnsupportedVersion`
 */
export async function confirmServer(query: Query, pinned: Record<string, string>, announced: number | undefined, target: StoreTarget): Promise<number> {
  const names = Object.keys(pinned);
  const { rows } = await query<{ version: number; process: number; settings: (string | null)[] }>(
    `SELECT current_setting('server_version_num')::int AS version, pg_backend_pid() AS process,
       array(SELECT s.setting FROM unnest($1::text[]) WITH ORDINALITY AS n(name, place) LEFT JOIN pg_settings s ON s.name = n.name ORDER BY n.place) AS settings`,
    [names],
  );
  const found = rows[0];
  if (found === undefined) throw new StoreError('Failed', `DataStore ${target.name}: the server did not tell its version.`);
  if (found.version < oldestServer) throw tooOld(target);
  const moved = names.filter((name, index) => found.settings[index] !== pinned[name]);
  if (moved.length > 0) throw pooled(target, `the settings ${moved.join(', ')} did not reach the server`);
  if (found.process !== announced) throw pooled(target, 'another process of the server runs the statements than the login was told');
  return found.version;
}

/** What is answered where something that deals out connections stands before the server. @param seen what showed it */
export function pooled(target: StoreTarget, seen: string): StoreError {
  return new StoreError('PoolerRefused', `DataStore ${target.name}: ${seen}, as behind a connection pooler; give the server's own address as endpoint.`);
}
