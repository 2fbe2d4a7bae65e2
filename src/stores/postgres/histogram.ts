import type { Histogram } from '../counting.ts';
import type { TableAddress, TimeField } from '../predicate.ts';
import { resolveTables } from './catalogue.ts';
import type { Connection } from './connection.ts';
import { eventSql } from './event.ts';
import type { CompileContext } from './sql.ts';
import { scanInStripes } from './stripes.ts';

/** Fifty years; whatever is older is counted in the oldest bucket shown. */
const mostMonths = 600;

/**
 * Rows per calendar month of an event, in UTC (a `Date` keeps its own month). Rows whose event cannot be
 * believed are counted apart.
 */
export async function readHistogram(connection: Connection, address: TableAddress, time: TimeField, options: { budgetMs: number; now: string }): Promise<Histogram> {
  const lookup = await resolveTables(connection, [address, ...time.path.via.map((hop) => hop.table)]);
  const table = lookup(address);
  const context: CompileContext = { table, alias: 't', lookup, readable: () => true };
  const { timeZone: _zone, ...zoneless } = time;
  const event = time.type === 'Date' ? zoneless : time;
  const months = new Map<string, number>();
  let indeterminate = 0;
  const exact = await scanInStripes<{ month: string | null; rows: string }>(
    connection,
    table,
    { alias: 't', budgetMs: options.budgetMs, reads: time.path.via.map((hop) => lookup(hop.table)) },
    (from, where, parameters) => `
SELECT to_char(event AT TIME ZONE 'UTC', 'YYYY-MM') AS month, count(*)::text AS rows
FROM (SELECT ${eventSql(event, options.now, context, parameters)} AS event FROM ${from} WHERE ${where}) AS dated
GROUP BY 1`,
    (rows) => {
      for (const { month, rows: counted } of rows) {
        if (month === null) indeterminate += Number(counted);
        else months.set(month, (months.get(month) ?? 0) + Number(counted));
      }
    },
  );
  return { months: newest([...months].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([month, rows]) => ({ month, rows }))), indeterminate, exact };
}

function newest(months: Histogram['months']): Histogram['months'] {
  const shown = months.slice(-mostMonths);
  const [oldest, ...rest] = shown;
  if (oldest === undefined || shown.length === months.length) return shown;
  const older = months.slice(0, -mostMonths).reduce((sum, { rows }) => sum + rows, 0);
  return [{ month: oldest.month, rows: oldest.rows + older }, ...rest];
}
