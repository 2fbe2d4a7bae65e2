import { StoreError } from '../errors.ts';
import type { Connection } from './connection.ts';
import { readIdentity } from './identity.ts';

/** End of the log as this server has it. Replayed means visible: a commit is applied before its end is told. */
const END_OF_LOG = 'CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END';
const POSITION = /^([0-9A-F]{1,8}\/[0-9A-F]{1,8})(?: (\d+))?$/;

/**
 * See `StoreReader.position`: an LSN, and what runs ever wrote into the store. The latter is compared too, because after
 * a failover a server of another history may have a later LSN and none of our last batches; and because a commit that
 * did not wait for the disk may lie past the LSN told here.
 */
export async function readPosition(connection: Connection): Promise<string> {
  // First the watermark: whatever it counts lies before the LSN that is read after it.
  const { watermark } = await readIdentity(connection);
  const { rows } = await connection.query<{ lsn: string | null }>(`SELECT (${END_OF_LOG})::text AS lsn`);
  const lsn = rows[0]?.lsn;
  if (lsn == null) throw new StoreError('Failed', `DataStore ${connection.target.name}: the server has replayed no log yet, so it is unknown how far it is; ask again when it has.`);
  return watermark === undefined ? lsn : `${lsn} ${watermark}`;
}

/** See `StoreReader.hasReached`. @throws RangeError for a text that is no position of this engine */
export async function hasReached(connection: Connection, position: string): Promise<boolean> {
  const [, lsn, mark] = POSITION.exec(position) ?? [];
  if (lsn === undefined) throw new RangeError('This is no position of a PostgreSQL server.');
  const { rows } = await connection.query<{ reached: boolean | null }>(`SELECT (${END_OF_LOG}) >= $1::pg_lsn AS reached`, [lsn]);
  if (rows[0]?.reached !== true) return false;
  return mark === undefined || ((await readIdentity(connection)).watermark ?? 0) >= Number(mark);
}
