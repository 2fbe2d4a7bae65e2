import { compareText } from '../api/compare-text.ts';
import type { DataMap } from '../api/generated/dataMap.ts';
import type { Inventory } from '../stores/facts.ts';
import { tableKey, tableName } from '../stores/predicate.ts';
import type { TableAddress } from '../stores/predicate.ts';
import { addressOf, collectionTables, mapId, tablesOf, type MappedCollection, type MapProblem } from './collections.ts';
import { ancestorsOf, isPartition } from './inheritance.ts';
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
 * A collection whose table is missing yields a problem and no collection. A table that two collections claim, or of which
 * one claims what it inherits from, stays in both, marked `MapOverlap`: protections add up, and the caller lets nothing be deleted there.
 * Pure; the order of `maps` does not matter.
 */
export function resolveMaps(maps: readonly DataMap[], inventory: Inventory): ResolvedMaps {
  const sorted = maps.toSorted((a, b) => compareText(mapId(a), mapId(b)));
  const resolved = sorted.map((map) => resolveMap(map, inventory));
  const collections = resolved.flatMap((each) => each.collections);
  const overlaps = markOverlaps(collections, inventory);
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
    const tables = collectionTables(spec.table, inventory);
    if (tables.length === 0) {
      problems.push({
        reason: 'MissingTable',
        collection: `${mapId(map)}/${spec.name}`,
        message: `collection ${spec.name}: ${missing(spec.table, inventory)}`,
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

function missing(wanted: TableAddress, inventory: Inventory): string {
  const name = tableName(wanted);
  const [whole] = inventory.tables.find((table) => isPartition(table) && tableKey(table) === tableKey(wanted))?.parents ?? [];
  if (whole) return `${name} is a partition of ${tableName(whole)}, and a rule is about the whole table; describe that one, or the table it is a partition of itself`;
  if (inventory.views?.some((view) => tableKey(view) === tableKey(wanted))) return `${name} is a view, which has no rows of its own; name the table its rows come from in spec.collections[].table`;
  return `the store has no table ${name}; correct spec.collections[].table or grant the observing account access to it`;
}

function nonPersonalOf(map: DataMap, inventory: Inventory): TableAddress[] {
  return (map.spec.nonPersonal ?? []).flatMap((entry) => tablesOf(entry.table, inventory).map(addressOf));
}

function markOverlaps(collections: readonly MappedCollection[], inventory: Inventory): MapProblem[] {
  const rivals = rivalsByTable(collections, inventory);
  return collections.flatMap((claim) => {
    const others = collections.filter((other) => other !== claim && rivals.get(tableKey(claim.table))?.has(tableKey(other.table)));
    const [same, kin] = [others.filter((other) => isSame(other, claim)), others.filter((other) => !isSame(other, claim))];
    const table = tableName(claim.table);
    const messages = [
      ...(same.length > 0 ? [`table ${table} is also claimed by ${same.map(({ id }) => id).join(', ')}; nothing is deleted there until one of them lets go`] : []),
      ...(kin.length > 0 ? [`table ${table} has rows in common with ${kin.map((other) => `${tableName(other.table)} of ${other.id}`).join(', ')} by inheritance; nothing is deleted in any of them until one collection describes those rows, or the inheritance ends`] : []),
    ];
    const problems = messages.map((message) => ({ reason: 'MapOverlap', collection: claim.id, message: `collection ${claim.name}: ${message}` }));
    claim.problems.push(...problems);
    return problems;
  });
}

const isSame = (one: MappedCollection, other: MappedCollection): boolean => tableKey(one.table) === tableKey(other.table);

/** The mapped tables that have rows in common with each, itself among them: an inheritance child's rows are rows of all it inherits from. */
function rivalsByTable(collections: readonly MappedCollection[], inventory: Inventory): Map<string, Set<string>> {
  const mapped = new Set(collections.map(({ table }) => tableKey(table)));
  const rivals = new Map([...mapped].map((key) => [key, new Set([key])]));
  for (const [child, ancestors] of ancestorsOf(inventory)) {
    const claimed = [child, ...ancestors].filter((key) => mapped.has(key));
    for (const key of claimed) for (const other of claimed) rivals.get(key)?.add(other);
  }
  return rivals;
}
