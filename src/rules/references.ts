import type { Collection } from '../api/generated/dataMap.ts';
import type { DeclaredReference } from '../stores/counting.ts';
import type { TableFact } from '../stores/facts.ts';
import { tableName } from '../stores/predicate.ts';

export interface ResolvedReferences {
  references: DeclaredReference[];
  /** What the owner of the map has to mend. */
  problems: { reason: 'MissingColumn' | 'UnresolvedReference'; message: string }[];
}

/**
 * The links one table of a collection has without a foreign key, to every table the named collection may mean: those of
 * its own schema where there are any, else all. One too many keeps a row too long, one too few deletes it.
 *
 * A column that is missing is a problem for the map's owner, and the link is passed on all the same: the driver
 * then refuses to delete what it was to protect.
 *
 * @param tablesOf tables of another collection of the same map, by its name; undefined: the map has no such collection
 */
export function resolveReferences(spec: Pick<Collection, 'references'>, table: TableFact, tablesOf: (collection: string) => readonly TableFact[] | undefined): ResolvedReferences {
  const found: ResolvedReferences = { references: [], problems: [] };
  for (const [index, { field, to, toField }] of (spec.references ?? []).entries()) {
    const all = tablesOf(to);
    if (all === undefined) {
      found.problems.push({ reason: 'UnresolvedReference', message: `references[${index}].to names the collection ${to}, which this map does not declare; correct the name, or the rows it means are not protected` });
      continue;
    }
    const near = all.filter((candidate) => candidate.schema === table.schema);
    for (const target of near.length > 0 ? near : all) {
      for (const [where, column, of] of [['field', field, table], ['toField', toField, target]] as const) {
        if (of.columns.some(({ name }) => name === column)) continue;
        found.problems.push({ reason: 'MissingColumn', message: `references[${index}].${where} names column ${column}, which table ${of.schema}.${of.name} does not have; correct the map or bring the column back, until then no row of ${to} is deleted` });
      }
      found.references.push({ field, table: { schema: target.schema, name: target.name }, toField });
    }
  }
  return found;
}

/** A link as a text to compare and to show, seen from the table it leads to. */
export function referenceText(from: { schema: string; name: string }, { field, toField }: DeclaredReference): string {
  return `${tableName(from)}.${field} to ${toField}`;
}
