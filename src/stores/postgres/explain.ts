import pg from 'pg';
import type { PurgeRequest } from '../purging.ts';
import { putBack, readApart } from './apart.ts';
import { topologyOf } from './closure.ts';
import type { Connection } from './connection.ts';
import { readFence } from './fence.ts';
import { readInventory } from './inventory.ts';
import { Parameters, quoteTable } from './sql.ts';
import { deletableSql } from './statements.ts';
import { resolveTargets, targetOf } from './target.ts';

/** Name of the row in the statements a purge runs; the same here, so that a sceptic can compare them. */
const ROW = 'r';

/** See `StoreReader.explain`. The condition is the very one the deleting statements carry, with its values written out. */
export async function explainPurge(connection: Connection, request: PurgeRequest): Promise<string[]> {
  const fence = await readFence(connection);
  const apart = await readApart(connection, fence !== undefined);
  const inventory = putBack(await readInventory(connection), apart);
  const wanted = request.rules.filter((rule) => request.targets.includes(rule.collection) && rule.due);
  const targets = await resolveTargets(connection, topologyOf(inventory), wanted, fence?.holds ?? []);
  return wanted.map((rule) => {
    const target = targetOf(targets, rule.collection);
    const parameters = new Parameters();
    // Children go first, so rows that refer are asked about only when the statement runs; here they would hide what is due.
    const condition = deletableSql({ ...target.what, edges: [] }, target.table, targets.resolver, parameters, ROW);
    const text = `-- ${rule.collection}: due and kept by nothing; rows that others refer to stay as well\nSELECT count(*) FROM ${quoteTable(rule.table)} AS ${ROW} WHERE ${condition}`;
    return writeOut(text, parameters.values);
  });
}

/** Puts values where their placeholders stand; a quoted identifier may hold `$1` itself and stays as it is. */
function writeOut(text: string, values: readonly unknown[]): string {
  return text.replace(/"(?:[^"]|"")*"|\$(\d+)/g, (found, number: string | undefined) => (number === undefined ? found : literal(values[Number(number) - 1])));
}

function literal(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (typeof value === 'boolean') return value ? 'TRUE' : 'FALSE';
  if (Array.isArray(value)) return `ARRAY[${value.map(literal).join(', ')}]`;
  return pg.escapeLiteral(String(value));
}
