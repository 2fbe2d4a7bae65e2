import type { BatchResult } from '../purging.ts';
import type { Connection } from './connection.ts';
import { sqlState } from './errors.ts';
import { pagesOf } from './look.ts';
import { ringStarts } from './statements.ts';
import type { Statement } from './statements.ts';
import type { Walker } from './walk.ts';
import type { StepWork } from './work.ts';

/** Heap pages searched at once. Below each row of a thread are many others, so fewer pages than a plain look reads. */
const RING_PAGES = 4_096;

/**
 * Deletes rows of a table that refer to each other in a ring and may all go; passes over the table, which begin with rows
 * nothing refers to, leave them for ever. A ring goes whole, in one statement, or stays whole: because a row of it must
 * stay, or something else refers to it. Rows in several partitions are left alone, since their places do not tell them apart.
 *
 * @param pass number of the pass the batches are journalled under
 */
export async function* deleteRings(connection: Connection, walker: Walker, pass: number, { context, consent }: Pick<StepWork, 'context' | 'consent'>): AsyncGenerator<BatchResult> {
  const [leaf, ...others] = walker.current().target.leaves;
  if (leaf === undefined || others.length > 0 || !walker.current().target.what.edges.some((edge) => edge.self)) return;
  const pages = await pagesOf(connection, leaf);
  for (let from = 0; from < pages; from += RING_PAGES) {
    context.signal.throwIfAborted();
    yield* consent.renew();
    const { target, resolver } = walker.current();
    const statement = ringStarts(target.what, leaf, { from, to: Math.min(pages, from + RING_PAGES) }, resolver);
    for (const at of await placesOf(connection, statement)) yield* walker.ring(leaf, at, Number(/^\((\d+),/.exec(at)?.[1] ?? 0), pass);
  }
}

/** None where the search took too long: the rest goes on, and the count tells of what is left. */
async function placesOf(connection: Connection, { text, values }: Statement): Promise<string[]> {
  try {
    return (await connection.query<{ at: string }>(text, values)).rows.map(({ at }) => at);
  } catch (error) {
    if (sqlState(error) === '57014') return [];
    throw error;
  }
}
