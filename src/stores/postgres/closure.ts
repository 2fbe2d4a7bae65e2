import { compareText } from '../../api/compare-text.ts';
import type { DeclaredReference } from '../counting.ts';
import type { ForeignKeyFact, TableFact } from '../facts.ts';
import { tableKey, tableName } from '../predicate.ts';
import type { TableAddress } from '../predicate.ts';

/** A foreign key into a table, or a link declared in its place, with partitions folded into the table they belong to. */
export interface Edge {
  /** Of a declared link: `references.<column>`. */
  constraint: string;
  /** The referring table as it is to be asked: the partitioned table where that has the key, else the one partition. */
  child: TableAddress;
  /** The table somebody maps: `child`, or the partitioned table it is part of. */
  childRoot: TableAddress;
  columns: string[];
  parent: TableAddress;
  referencedColumns: string[];
  onDelete: ForeignKeyFact['onDelete'];
  indexed: boolean;
  /** The last columns are periods, and refer where they overlap. */
  temporal?: true;
  /** A table that refers to itself. */
  self: boolean;
  /** A map declares it and the catalogue knows nothing of it. `problem`: why it cannot be followed. */
  declared?: { problem?: string };
}

/** A link that a map declares, as the catalogue has it. */
export interface DeclaredLink {
  from: TableAddress;
  reference: DeclaredReference;
  indexed: boolean;
  problem?: string;
}

/** A table as a part of others. */
export interface Part extends TableFact {
  /**
   * A scan of the table it is a part of does not see its rows: it is half detached (`attached`), or a drop detached it and
   * is not finished. `readable`: this login may read it by itself.
   */
  apart?: { attached: boolean; readable: boolean };
}

/** How the tables of a store hang together. */
export interface Topology {
  table(address: TableAddress): Part | undefined;
  /** The partitioned table an address is part of, or itself. */
  root(address: TableAddress): TableAddress;
  /** The tables that hold rows of an address: itself, its partitions, its inheritance children. By name. */
  leaves(address: TableAddress): Part[];
  /** Foreign keys into an address or any part of it. By constraint name. */
  edgesInto(address: TableAddress): Edge[];
}

/** @param declared links that count like foreign keys; left out where only tables and their parts matter. */
export function topologyOf(inventory: { tables: readonly Part[] }, declared: readonly DeclaredLink[] = []): Topology {
  const tables = new Map(inventory.tables.map((table) => [tableKey(table), table]));
  const children = new Map<string, Part[]>();
  for (const table of inventory.tables) {
    for (const parent of table.parents) children.set(tableKey(parent), [...(children.get(tableKey(parent)) ?? []), table]);
  }
  const root = (address: TableAddress): TableAddress => {
    const parent = tables.get(tableKey(address))?.parents.find((candidate) => tables.get(tableKey(candidate))?.kind === 'PartitionedTable');
    return parent === undefined ? { schema: address.schema, name: address.name } : root(parent);
  };
  const family = (table: Part): Part[] => [table, ...(children.get(tableKey(table)) ?? []).flatMap(family)];
  const leaves = (address: TableAddress): Part[] => {
    const table = tables.get(tableKey(address));
    if (table === undefined) return [];
    const unique = new Map(family(table).map((member) => [tableKey(member), member]));
    return [...unique.values()].filter((member) => member.kind !== 'PartitionedTable').toSorted((a, b) => compareText(tableName(a), tableName(b)));
  };
  const apartOf = (link: DeclaredLink): DeclaredLink[] => leaves(link.from).filter((leaf) => leaf.apart?.readable === true).map(({ schema, name }) => ({ ...link, from: { schema, name } }));
  const edges = [...foldEdges(inventory.tables, root, leaves), ...declared.flatMap((link) => [link, ...apartOf(link)]).map((link) => edgeOf(link, root))].toSorted((a, b) => compareText(`${tableName(a.child)} ${a.constraint}`, `${tableName(b.child)} ${b.constraint}`));
  return {
    table: (address) => tables.get(tableKey(address)),
    root,
    leaves,
    edgesInto: (address) => {
      const wanted = tableKey(root(address));
      // An inheritance child is a part of its parent without being folded into it.
      const parts = new Set([wanted, ...leaves(root(address)).map(tableKey)]);
      return edges.filter((edge) => parts.has(tableKey(edge.parent)));
    },
  };
}

/** Every foreign key once: those a partition has from its partitioned table, on either side, are the same key. */
function foldEdges(tables: readonly Part[], root: Topology['root'], leaves: Topology['leaves']): Edge[] {
  const identity = (child: TableAddress, key: ForeignKeyFact): string => JSON.stringify([tableKey(child), key.columns, tableKey(root(key.references)), key.referencedColumns]);
  const declared = new Set(tables.flatMap((table) => table.foreignKeys.map((key) => identity(table, key))));
  const indexedBelow = (table: TableFact, key: ForeignKeyFact): boolean => {
    const parts = leaves(table).filter((leaf) => tableKey(leaf) !== tableKey(table));
    return parts.length > 0 && parts.every((leaf) => leaf.foreignKeys.some((own) => own.indexed && identity(table, own) === identity(table, key)));
  };
  const found = new Map<string, Edge>();
  for (const table of tables) {
    for (const key of table.foreignKeys) {
      const above = tableKey(root(table)) === tableKey(table) ? undefined : root(table);
      // What a scan of the table above does not see has to be asked by itself, where it may be.
      if (above !== undefined && table.apart?.readable !== true && declared.has(identity(above, key))) continue;
      if (found.has(identity(table, key))) continue;
      found.set(identity(table, key), {
        constraint: key.name,
        child: { schema: table.schema, name: table.name },
        childRoot: root(table),
        columns: key.columns,
        parent: root(key.references),
        referencedColumns: key.referencedColumns,
        onDelete: key.onDelete,
        indexed: key.indexed || indexedBelow(table, key),
        ...(key.temporal === true ? { temporal: true } : {}),
        self: tableKey(root(table)) === tableKey(root(key.references)),
      });
    }
  }
  return [...found.values()];
}

function edgeOf({ from, reference, indexed, problem }: DeclaredLink, root: Topology['root']): Edge {
  return {
    constraint: `references.${reference.field}`,
    child: from,
    childRoot: root(from),
    columns: [reference.field],
    parent: root(reference.table),
    referencedColumns: [reference.toField],
    onDelete: 'NoAction',
    indexed,
    self: tableKey(root(from)) === tableKey(root(reference.table)),
    declared: problem === undefined ? {} : { problem },
  };
}
