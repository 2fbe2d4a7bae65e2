import type { Predicate, TableAddress } from '../predicate.ts';
import { resolveTables } from './catalogue.ts';
import type { Connection } from './connection.ts';
import { checkLiterals } from './literals.ts';
import { addressesOf } from './predicates.ts';
import { longestStatementMs } from './settings.ts';
import { compilePredicate, Parameters, quoteTable } from './sql.ts';

/**
 * A fingerprint of the rows a predicate selects, whatever their order: their number and the sum of a hash of each
 * whole row. Equal rows give an equal fingerprint on any server, since the connection pins how values are written.
 * Not cryptographic: it finds change and loss, not forgery.
 */
export async function readFingerprint(connection: Connection, address: TableAddress, where: Predicate): Promise<{ rows: number; sum: string }> {
  const lookup = await resolveTables(connection, [address, ...addressesOf(where)]);
  const table = lookup(address);
  const { readable } = await checkLiterals(connection, [{ predicate: where, table }], lookup);
  const parameters = new Parameters();
  const condition = compilePredicate(where, { table, alias: 't', lookup, readable }, parameters);
  const { rows } = await connection.transaction(async () => {
    await connection.query(`SET LOCAL statement_timeout = ${longestStatementMs}`);
    return connection.query<{ rows: string; sum: string }>(
      `SELECT count(*)::text AS rows, coalesce(sum(hashtextextended("t"::text, 0)::numeric), 0)::text AS sum FROM ${quoteTable(table)} AS "t" WHERE ${condition}`,
      parameters.values,
    );
  }, 'BEGIN READ ONLY');
  const row = rows[0];
  if (row === undefined) throw new TypeError('An aggregate without GROUP BY gives one row.');
  return { rows: Number(row.rows), sum: row.sum };
}
