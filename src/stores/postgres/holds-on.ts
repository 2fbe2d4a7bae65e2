import type { StoreHold } from '../fence.ts';
import type { TableAddress } from '../predicate.ts';
import { putBack, readApart } from './apart.ts';
import { topologyOf } from './closure.ts';
import type { Connection } from './connection.ts';
import { readFence } from './fence.ts';
import { readInventory } from './inventory.ts';
import { holdsOn } from './target.ts';

/** See `StoreReader.holdsOn`: by the very rule by which the statements that delete are guarded. */
export async function readHoldsOn(connection: Connection, tables: readonly TableAddress[]): Promise<StoreHold[][]> {
  const fence = await readFence(connection);
  const holds = fence?.holds ?? [];
  if (holds.length === 0) return tables.map(() => []);
  const apart = await readApart(connection, fence !== undefined);
  const topology = topologyOf(putBack(await readInventory(connection), apart));
  return tables.map((table) => holdsOn(table, topology, holds));
}
