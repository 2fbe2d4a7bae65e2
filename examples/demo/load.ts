import { readFile } from 'node:fs/promises';

/**
 * Fills an empty database with the demo's web analytics data (about 300,000 rows, about 4 s).
 *
 * @param query runs several statements in one go, on one connection, as an owner of schema public
 * @param now the moment all others count back from; the same moment gives the same rows
 * @throws what `query` throws; the whole load is one transaction, so a failed one leaves nothing
 */
export async function loadDataset(query: (sql: string) => Promise<unknown>, now: Date): Promise<void> {
  const sql = await readFile(new URL('dataset.sql', import.meta.url), 'utf8');
  // psql puts the quotes itself for :'now'; an ISO string has none of its own.
  await query(sql.replaceAll(`:'now'`, `'${now.toISOString()}'`));
}
