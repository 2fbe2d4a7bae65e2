import type { BatchResult } from '../purging.ts';
import type { Connection } from './connection.ts';
import type { ResolvedTable } from './sql.ts';
import { firstDeletable } from './statements.ts';
import type { BlockRange } from './statements.ts';
import type { Compiled, StepWork } from './work.ts';

/** Heap pages read by one look, so that no single snapshot is held for long. */
const LOOK_PAGES = 65_536;

type LookWork = Pick<StepWork, 'context' | 'consent'>;

/** Heap pages of a table now. */
export async function pagesOf(connection: Connection, leaf: ResolvedTable): Promise<number> {
  const { rows } = await connection.query<{ pages: string }>(`SELECT (pg_relation_size($1::oid) / current_setting('block_size')::bigint)::text AS pages`, [leaf.oid]);
  return Number(rows[0]?.pages ?? 0);
}

/** The first page of a whole table with a row that could go now; undefined when there is none. Asks between looks whether to go on. */
export async function* firstPage(connection: Connection, compiled: Compiled, leaf: ResolvedTable, { context, consent }: LookWork): AsyncGenerator<BatchResult, { page: number; pages: number } | undefined> {
  const pages = await pagesOf(connection, leaf);
  if (pages <= LOOK_PAGES) {
    const page = await look(connection, compiled, leaf, undefined);
    return page === undefined ? undefined : { page, pages };
  }
  for (let from = 0; from < pages; from += LOOK_PAGES) {
    context.signal.throwIfAborted();
    yield* consent.renew();
    const page = await look(connection, compiled, leaf, { from, to: Math.min(pages, from + LOOK_PAGES) });
    if (page !== undefined) return { page, pages };
  }
  return undefined;
}

/**
 * The next page of a run with a row that could go now, its end when there is none. A look costs no fence and no
 * commit, so a stretch without due rows is crossed by looks; each is twice as long as the one before, so that
 * little is read beyond the end of the stretch. Asks between looks whether to go on.
 *
 * @param passed told after each look that found nothing: up to which page there is none
 */
export async function* nextPage(connection: Connection, compiled: Compiled, leaf: ResolvedTable, { from, to }: BlockRange, first: number, { context, consent }: LookWork, passed: (page: number) => void): AsyncGenerator<BatchResult, number> {
  let next = from;
  for (let length = first; next < to; length = Math.min(2 * length, LOOK_PAGES)) {
    context.signal.throwIfAborted();
    yield* consent.renew();
    const end = Math.min(to, next + length);
    const page = await look(connection, compiled, leaf, { from: next, to: end });
    if (page !== undefined) return page;
    next = end;
    passed(next);
  }
  return to;
}

async function look(connection: Connection, { target, resolver }: Compiled, leaf: ResolvedTable, range: BlockRange | undefined): Promise<number | undefined> {
  const statement = firstDeletable(target.what, leaf, range, resolver);
  const { rows } = await connection.query<{ ctid: string | null }>(statement.text, statement.values);
  const page = /^\((\d+),/.exec(rows[0]?.ctid ?? '')?.[1];
  return page === undefined ? undefined : Number(page);
}
