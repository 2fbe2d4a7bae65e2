import type { CollectionRule } from '../counting.ts';
import type { PurgeRequest, RemovedPart } from '../purging.ts';
import { countIn } from './count.ts';
import type { Counted, CountSurroundings } from './count.ts';
import { topologyOf } from './closure.ts';
import type { DeclaredLink } from './closure.ts';
import type { Connection } from './connection.ts';
import { readInventory } from './inventory.ts';

/**
 * The parts of a collection that a count did not read and that are there all the same: somebody took them out of the table.
 * Each is counted by itself, as if it still were a part. What was dropped has no rows any more.
 *
 * @param count of the collection; to compare with what was read at its very moment, not with what is a part a moment later
 * @param known catalogue identities of its parts as they were once
 */
export async function countRemoved(connection: Connection, request: PurgeRequest, rule: CollectionRule, count: Counted, known: readonly string[], { declared, ...surroundings }: Omit<CountSurroundings, 'topology'> & { declared: readonly DeclaredLink[] }): Promise<RemovedPart[]> {
  // Nothing was read before the time was over: then nothing is known to be missing.
  if (count.read.length === 0) return [];
  const missing = new Set(known.filter((oid) => !count.read.includes(oid)));
  // What a drop of ours took away is counted with the table, or else its count is not exact.
  for (const { leaf, state } of surroundings.apart.drops) if (state !== 'moved') missing.delete(leaf);
  if (missing.size === 0) return [];
  const removed: RemovedPart[] = [];
  const { tables } = await readInventory(connection);
  for (const table of tables.filter(({ oid }) => missing.has(oid))) {
    const { schema, name } = table;
    const asPart = { ...rule, table: { schema, name } };
    const topology = topologyOf({ tables: tables.map((each) => (each === table ? { ...each, parents: [rule.table] } : each)) }, declared);
    // It may lack a column by now, or the right to read it: then nobody knows what is in it.
    const [seen] = await countIn(connection, { ...request, rules: request.rules.map((each) => (each === rule ? asPart : each)), collections: [rule.collection] }, { ...surroundings, topology });
    removed.push({ table: { schema, name }, due: seen?.due ?? 0, exact: seen?.exact === true });
  }
  return removed;
}
