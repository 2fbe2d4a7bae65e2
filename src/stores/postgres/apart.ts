import type { Inventory } from '../facts.ts';
import { tableKey } from '../predicate.ts';
import type { TableAddress } from '../predicate.ts';
import { columnsHashSql } from './catalogue.ts';
import type { Part } from './closure.ts';
import type { Connection } from './connection.ts';
import { readOpenDrops } from './journal.ts';
import type { DropPosition } from './journal.ts';

/**
 * What has become of a partition since its drop was begun. `moved`: it has another name or another parent than the
 * journal says, its number belongs to another table since a restore, or the table it came from is gone; it is not for the drop
 * to touch any more.
 */
export type DropState = 'attached' | 'pending' | 'detached' | 'moved' | 'gone';

/** A drop that was begun and neither finished nor undone. */
export interface OpenDrop extends DropPosition {
  /** Which run began it. */
  run: string;
  /** As it is called now; as the journal calls it where it is gone. */
  parent: TableAddress;
  state: DropState;
  /** The table it came from and what that is a part of, as they are called now. */
  line: TableAddress[];
}

/** What keeps rows of a table from a scan of it: drops under way, and partitions somebody has half detached. */
export interface Apart {
  drops: readonly OpenDrop[];
  /** Tables that are half detached, by anybody, and what lies below them. Catalogue identities. */
  pending: ReadonlySet<string>;
  /** Those of both that this login may read. */
  readable: ReadonlySet<string>;
}

/** A table as the catalogue has it now. */
export interface Standing {
  name: TableAddress;
  parents: (TableAddress & { oid: string; pending: boolean })[];
  /** As `ResolvedTable` has it. */
  columnsHash: string;
}

/** What is to be made of a partition whose drop was begun. `standing`: undefined when there is no table of its identity. */
export function dropState(drop: Pick<DropPosition, 'name' | 'parent' | 'parentOid'>, standing: Pick<Standing, 'name' | 'parents'> | undefined): DropState {
  if (standing === undefined) return 'gone';
  if (tableKey(standing.name) !== tableKey(drop.name)) return 'moved';
  const [parent, ...others] = standing.parents;
  if (parent === undefined) return 'detached';
  // By its number: another table may have the name by now, and it another one.
  const same = drop.parentOid === undefined ? tableKey(parent) === tableKey(drop.parent) : parent.oid === drop.parentOid;
  if (others.length > 0 || !same) return 'moved';
  return parent.pending ? 'pending' : 'attached';
}

/**
 * The same, of a partition whose parent was looked for. Where that is gone, whoever dropped it decides what becomes of its
 * part: a drop that nobody can undo would keep its run in the journal for ever.
 */
export function stateBeside(parent: TableAddress | undefined, state: DropState): DropState {
  return state === 'detached' && parent === undefined ? 'moved' : state;
}

interface StandingRow extends TableAddress {
  oid: string;
  readable: boolean;
  pending: boolean;
  parents: Standing['parents'];
  hash: string | null;
}

/** SQL of tables with their parents; `$1`: the wanted ones by catalogue identity. A scan of a table leaves out what is half detached with all that lies below it. */
const standingSql = (also: string): string => `
WITH RECURSIVE hidden(oid) AS (
  SELECT h.inhrelid FROM pg_inherits h WHERE h.inhdetachpending UNION SELECT i.inhrelid FROM hidden o JOIN pg_inherits i ON i.inhparent = o.oid)
SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS name, coalesce(has_table_privilege(c.oid, 'SELECT'), false) AS readable,
  c.oid IN (SELECT h.oid FROM hidden h) AS pending,
  coalesce((SELECT json_agg(json_build_object('oid', p.oid::text, 'schema', pn.nspname, 'name', p.relname, 'pending', i.inhdetachpending) ORDER BY i.inhseqno)
    FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace WHERE i.inhrelid = c.oid), '[]'::json) AS parents,
  ${columnsHashSql('c.oid')} AS hash
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY ($1::oid[]) ${also}`;

/** One table by its catalogue identity; undefined when it is gone. */
export async function readStanding(connection: Connection, oid: string): Promise<Standing | undefined> {
  const { rows } = await connection.query<StandingRow>(standingSql(''), [[oid]], 'standing');
  return rows[0] && toStanding(rows[0]);
}

function toStanding({ schema, name, parents, hash }: StandingRow): Standing {
  return { name: { schema, name }, parents, columnsHash: hash ?? '' };
}

/**
 * Reads what is apart now. To be read before the inventory, and again after rows were counted by it: see `disturbedTables`.
 *
 * @param installed whether there is a journal
 */
export async function readApart(connection: Connection, installed: boolean): Promise<Apart> {
  const open = installed ? await readOpenDrops(connection) : [];
  const { rows } = await connection.query<StandingRow>(standingSql('OR c.oid IN (SELECT h.oid FROM hidden h)'), [open.map(({ leaf }) => leaf)]);
  const found = new Map(rows.map((row) => [row.oid, row]));
  const drops: OpenDrop[] = [];
  for (const drop of open) {
    const row = found.get(drop.leaf);
    const line = await readLine(connection, drop);
    drops.push({ ...drop, parent: line[0] ?? drop.parent, state: stateBeside(line[0], dropState(drop, row && toStanding(row))), line });
  }
  return {
    drops,
    pending: new Set(rows.filter(({ pending }) => pending).map(({ oid }) => oid)),
    readable: new Set(rows.filter(({ readable }) => readable).map(({ oid }) => oid)),
  };
}

/** The table a partition came from, as it is called now; undefined when it is gone. */
export async function parentOf(connection: Connection, drop: Pick<DropPosition, 'parent' | 'parentOid'>): Promise<TableAddress | undefined> {
  return (await readLine(connection, drop))[0];
}

async function readLine(connection: Connection, { parent, parentOid }: Pick<DropPosition, 'parent' | 'parentOid'>): Promise<TableAddress[]> {
  const { rows } = await connection.query<TableAddress>(
    `SELECT n.nspname AS schema, c.relname AS name
     FROM pg_partition_ancestors(coalesce($3::oid::regclass, to_regclass(format('%I.%I', $1::text, $2::text)))) WITH ORDINALITY AS a(relid, place)
     JOIN pg_class c ON c.oid = a.relid JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY a.place`,
    [parent.schema, parent.name, parentOid ?? null],
  );
  return rows;
}

/**
 * The tables of which a part was taken away, or put back, between two looks: a count in between may have missed its rows, or
 * seen them twice. Each with what it is a part of, by `tableKey`. `any`: that cannot be told.
 */
export function disturbedTables(before: Apart, after: Apart): ReadonlySet<string> | 'any' {
  if (before.pending.size !== after.pending.size || [...before.pending].some((oid) => !after.pending.has(oid))) return 'any';
  const among = (drop: OpenDrop, others: Apart): boolean => others.drops.some(({ leaf, state }) => leaf === drop.leaf && state === drop.state);
  const changed = [...before.drops.filter((drop) => !among(drop, after)), ...after.drops.filter((drop) => !among(drop, before))];
  return new Set(changed.flatMap(({ parent, line }) => [parent, ...line].map(tableKey)));
}

/** Drops under way of partitions of a table, or of a part of it. What was moved or is gone is none of them. */
export function dropsOf(table: TableAddress, { drops }: Pick<Apart, 'drops'>): OpenDrop[] {
  return drops.filter(({ state, line }) => state !== 'moved' && state !== 'gone' && line.some((each) => tableKey(each) === tableKey(table)));
}

/**
 * The tables of a store with the partitions that unfinished drops took away back where they belong: their rows are
 * protected by whatever protects the table they come from, and due under its rule, until they are gone.
 */
export function putBack(inventory: Pick<Inventory, 'tables'>, { drops, pending, readable }: Apart): { tables: Part[] } {
  if (drops.length === 0 && pending.size === 0) return { tables: inventory.tables };
  const detached = new Map(drops.filter(({ state }) => state === 'detached').map((drop) => [drop.leaf, drop]));
  return {
    tables: inventory.tables.map((table): Part => {
      const drop = detached.get(table.oid);
      if (drop !== undefined && table.parents.length === 0) return { ...table, parents: [drop.parent], apart: { attached: false, readable: readable.has(table.oid) } };
      return pending.has(table.oid) ? { ...table, apart: { attached: true, readable: readable.has(table.oid) } } : table;
    }),
  };
}
