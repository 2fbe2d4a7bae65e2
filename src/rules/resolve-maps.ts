import type { DataMap } from '../api/generated/dataMap.ts';
import type { Inventory } from '../stores/facts.ts';
import { tableName } from '../stores/predicate.ts';
import type { TableAddress } from '../stores/predicate.ts';
import { addressOf, groupBy, mapId, tablesOf, type MappedCollection, type MapProblem } from './collections.ts';
import { resolveCollection } from './resolve-collection.ts';

export interface ResolvedMaps {
  collections: MappedCollection[];
  nonPersonal: TableAddress[];
  /** Every problem of every map, those of collections that resolved to no table included. */
  problems: MapProblem[];
}

/**
 * Resolves maps against an inventory: patterns become tables, references become joins.
 *
 * A collection whose table is missing yields a problem and no collection. A table that two collections claim
 * stays in both, marked `MapOverlap`: protections add up, and the caller lets nothing be deleted there.
 * Pure; the order of `maps` does not matter.
 */
export function resolveMaps(maps: readonly DataMap[], inventory: Inventory): ResolvedMaps {
  const sorted = maps.toSorted((a, b) => mapId(a).localeCompare(mapId(b)));
  const resolved = sorted.map((map) => resolveMap(map, inventory));
  const collections = resolved.flatMap((each) => each.collections);
  const overlaps = markOverlaps(collections);
  return {
    collections,
    nonPersonal: resolved.flatMap((each) => each.nonPersonal),
    problems: [...resolved.flatMap((each) => each.problems), ...overlaps],
  };
}

function resolveMap(map: DataMap, inventory: Inventory): ResolvedMaps {
  const problems: MapProblem[] = [];
  const collections: MappedCollection[] = [];
  for (const spec of map.spec.collections ?? []) {
    const tables = tablesOf(spec.table, inventory);
    if (tables.length === 0) {
      problems.push({
        reason: 'MissingTable',
        collection: `${mapId(map)}/${spec.name}`,
        message: `collection ${spec.name}: the store has no table ${spec.table.schema}.${spec.table.name}; correct spec.collections[].table or grant the observing account access to it`,
      });
    }
    for (const table of tables) {
      const collection = resolveCollection(map, spec, table, inventory);
      collections.push(collection);
      problems.push(...collection.problems);
    }
  }
  return { collections, nonPersonal: nonPersonalOf(map, inventory), problems };
}

function nonPersonalOf(map: DataMap, inventory: Inventory): TableAddress[] {
  return (map.spec.nonPersonal ?? []).flatMap((entry) => tablesOf(entry.table, inventory).map(addressOf));
}

function markOverlaps(collections: MappedCollection[]): MapProblem[] {
  const byTable = groupBy(collections, ({ table }) => tableName(table));
  const problems: MapProblem[] = [];
  for (const [table, claims] of byTable) {
    if (claims.length < 2) continue;
    for (const claim of claims) {
      const problem = {
        reason: 'MapOverlap',
        collection: claim.id,
        message: `collection ${claim.name}: table ${table} is also claimed by ${claims.filter((other) => other !== claim).map((other) => other.id).join(', ')}; nothing is deleted there until one of them lets go`,
      };
      claim.problems.push(problem);
      problems.push(problem);
    }
  }
  return problems;
}
