import { StoreError } from '../errors.ts';
import type { Predicate, TableAddress } from '../predicate.ts';
import type { Connection } from './connection.ts';
import { keptApart, scanKept } from './kept.ts';
import { longestStatementMs } from './settings.ts';

/**
 * A fingerprint of the rows a guard with a predicate keeps, unknown ones among them, whatever their order: their number
 * and the sum of a hash of each whole row. Equal rows give an equal fingerprint on any server, since the connection pins
 * how values are written. Not cryptographic: it finds change and loss, not forgery.
 *
 * @throws StoreError `LimitReached` when they cannot be read in time
 */
export async function readFingerprint(connection: Connection, address: TableAddress, where: Predicate, budgetMs = longestStatementMs): Promise<{ rows: number; sum: string }> {
  let count = 0;
  let total = 0n;
  const select = 'count(*)::text AS rows, coalesce(sum(hashtextextended("t"::text, 0)::numeric), 0)::text AS sum';
  const add = ({ rows, sum }: { rows: string; sum: string }): void => {
    count += Number(rows);
    total += BigInt(sum);
  };
  const apart = await keptApart(connection, address, where);
  let complete = true;
  for (const part of apart ?? [address]) {
    complete &&= await scanKept(connection, part, where, { select, budgetMs: budgetMs / (apart?.length ?? 1), partly: false, only: apart !== undefined }, add);
  }
  if (!complete) {
    throw new StoreError('LimitReached', `DataStore ${connection.target.name}: the held rows of ${address.schema}.${address.name} could not be read in ${Math.round(budgetMs / 1000)} s; an index on the columns the hold names shortens it.`);
  }
  return { rows: count, sum: total.toString() };
}
