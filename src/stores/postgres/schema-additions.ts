import type { Connection } from './connection.ts';
import { JOURNAL_ORDINAL } from './schema.ts';

/**
 * What a schema of the same version may lack, because an older release made it. Nothing of it is in the way of one that
 * does not know it, so two clusters of different releases may go on to work with one store.
 */
const ADDED_COLUMNS: readonly { table: string; column: string; statements: readonly string[] }[] = [
  { table: 'hold_item', column: 'columns', statements: ['ALTER TABLE dataward.hold_item ADD COLUMN IF NOT EXISTS columns jsonb'] },
  { table: 'journal', column: 'ordinal', statements: JOURNAL_ORDINAL },
];

/** Adds what is missing; looks first, since each ALTER TABLE would wait for all that reads the table. */
export async function addToSchema(connection: Connection): Promise<void> {
  const { rows } = await connection.query<{ place: number }>(
    `SELECT place::int FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w(name, attribute, place)
     JOIN pg_catalog.pg_class c ON c.relnamespace = 'dataward'::regnamespace AND c.relname = w.name
     WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attname = w.attribute AND NOT a.attisdropped)`,
    [ADDED_COLUMNS.map(({ table }) => table), ADDED_COLUMNS.map(({ column }) => column)],
  );
  for (const { place } of rows) {
    for (const statement of ADDED_COLUMNS[place - 1]?.statements ?? []) await connection.query(statement);
  }
}
