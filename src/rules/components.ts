import { compareText } from '../api/compare-text.ts';
import type { CollectionRule } from '../stores/counting.ts';
import type { Inventory } from '../stores/facts.ts';
import { tableKey } from '../stores/predicate.ts';
import type { TableAddress } from '../stores/predicate.ts';

/**
 * Splits collections into the smallest groups between which no foreign key or declared reference leads, also not through
 * tables that nobody maps. What happens to the rows of one group cannot matter to another, so each is a run of its own.
 *
 * Tables also belong together when one is a part of the other (partitions, inheritance), and when a rule reads a time,
 * a client or a subject of its rows from another table: were that row gone, the rule could no longer be judged.
 *
 * @returns collection ids, each in exactly one group; ids and groups in code unit order, whatever the order of the input.
 */
export function components(rules: readonly CollectionRule[], inventory: Pick<Inventory, 'tables'>): string[][] {
  const joined = new DisjointTables();
  for (const table of inventory.tables) {
    for (const parent of table.parents) joined.join(table, parent);
    for (const key of table.foreignKeys) joined.join(table, key.references);
  }
  for (const rule of rules) {
    for (const table of tablesReadBy(rule)) joined.join(rule.table, table);
    for (const reference of rule.references ?? []) joined.join(rule.table, reference.table);
  }
  const groups = new Map<string, Set<string>>();
  for (const rule of rules) {
    const group = joined.find(tableKey(rule.table));
    groups.set(group, (groups.get(group) ?? new Set()).add(rule.collection));
  }
  return [...groups.values()].map((group) => [...group].toSorted(compareText)).toSorted((a, b) => compareText(a[0] ?? '', b[0] ?? ''));
}

/** Tables a rule's conditions look into beside its own: the hops of every field path, wherever it stands in the tree. */
export function tablesReadBy({ due, guards, times }: CollectionRule): TableAddress[] {
  const found: TableAddress[] = [];
  const walk = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    if ('via' in node && Array.isArray(node.via)) for (const hop of node.via as { table: TableAddress }[]) found.push(hop.table);
    for (const value of Object.values(node)) walk(value);
  };
  walk([due, guards, times]);
  return found;
}

/** Union-find by table. */
class DisjointTables {
  readonly #above = new Map<string, string>();

  find(key: string): string {
    let root = key;
    for (let next = this.#above.get(root); next !== undefined; next = this.#above.get(root)) root = next;
    if (root !== key) this.#above.set(key, root);
    return root;
  }

  join(one: TableAddress, other: TableAddress): void {
    const [a, b] = [this.find(tableKey(one)), this.find(tableKey(other))];
    if (a !== b) this.#above.set(a, b);
  }
}
