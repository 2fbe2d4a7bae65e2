import { tableKey } from '../predicate.ts';
import type { FieldPath, Predicate, TableAddress } from '../predicate.ts';

/** A column that a predicate reads, and what for. */
export interface ColumnUse {
  /** Absent: the table the predicate is about. */
  table?: TableAddress;
  column: string;
  /** What its values are compared with. Absent: it says when, whether, or which row of another table is meant. */
  compared?: Comparison;
}

export interface Comparison {
  values: readonly string[];
  /** A value counts where it is equal to one of these, so a type by which more values are equal makes it true for more rows. */
  onlyEqual: boolean;
}

/** The columns a predicate reads, each as often as it stands there. */
export function usesOf(predicate: Predicate, negated = false): ColumnUse[] {
  switch (predicate.op) {
    case 'true':
    case 'false':
      return [];
    case 'and':
    case 'or':
      return predicate.of.flatMap((part) => usesOf(part, negated));
    case 'not':
      return usesOf(predicate.of, !negated);
    case 'oneOf':
      return along(predicate.field, { values: predicate.values, onlyEqual: !negated });
    case 'compare':
      return along(predicate.field, { values: [predicate.value], onlyEqual: !negated && predicate.operator === 'Equals' });
    case 'jsonOneOf':
    case 'isNull':
      return along(predicate.field);
    case 'before':
    case 'notBefore':
    case 'indeterminate':
      return along(predicate.time.path);
  }
}

function along({ via, field }: FieldPath, compared?: Comparison): ColumnUse[] {
  const found: ColumnUse[] = [];
  let table: TableAddress | undefined;
  const use = (column: string): ColumnUse => ({ ...(table === undefined ? {} : { table }), column });
  for (const hop of via) {
    found.push(use(hop.field));
    table = hop.table;
    found.push(use(hop.toField));
  }
  return [...found, { ...use(field), ...(compared === undefined ? {} : { compared }) }];
}

/** The names of the columns that are read of each table, by `tableKey`; those of the predicate's own under `own`. */
export function namesRead(uses: readonly ColumnUse[], own: TableAddress): Map<string, { table: TableAddress; names: Set<string> }> {
  const found = new Map<string, { table: TableAddress; names: Set<string> }>();
  for (const { table = own, column } of uses) {
    const { schema, name } = table;
    const entry = found.get(tableKey(table)) ?? { table: { schema, name }, names: new Set<string>() };
    entry.names.add(column);
    found.set(tableKey(table), entry);
  }
  return found;
}
