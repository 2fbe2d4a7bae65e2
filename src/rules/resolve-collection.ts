import type { Collection, DataMap, TimeEvent } from '../api/generated/dataMap.ts';
import type { Inventory, TableFact } from '../stores/facts.ts';
import { tableName } from '../stores/predicate.ts';
import type { FieldPath, TableAddress, TimeField, TimeType } from '../stores/predicate.ts';
import { TIME_COLUMN_TYPES, timeTypesOf } from '../stores/time-types.ts';
import { addressOf, collectionTables, mapId, type ClientKey, type MappedCollection, type MapProblem, type SubjectKey } from './collections.ts';
import { resolveReferences } from './references.ts';
import { matchesPattern } from './select.ts';

/** One collection of a map for one table it means: joins and column names, and for the map's owner what does not exist. Pure. */
export function resolveCollection(map: DataMap, spec: Collection, table: TableFact, inventory: Inventory): MappedCollection {
  return new CollectionResolver(map, spec, table, inventory).resolve();
}

/** Turns one collection of one map into joins and column names, collecting what does not exist. */
class CollectionResolver {
  readonly #map: DataMap;
  readonly #spec: Collection;
  readonly #table: TableFact;
  readonly #inventory: Inventory;
  readonly #problems: MapProblem[] = [];

  constructor(map: DataMap, spec: Collection, table: TableFact, inventory: Inventory) {
    this.#map = map;
    this.#spec = spec;
    this.#table = table;
    this.#inventory = inventory;
  }

  get #id(): string {
    const plain = `${mapId(this.#map)}/${this.#spec.name}`;
    return /\*/.test(this.#spec.table.name + this.#spec.table.schema) ? `${plain}#${tableName(this.#table)}` : plain;
  }

  resolve(): MappedCollection {
    const client = this.#client(this.#spec, this.#table, 0);
    const times: Record<string, TimeField> = {};
    for (const time of this.#spec.times ?? []) {
      const field = this.#time(time, this.#spec, this.#table);
      if (field) times[time.event] = field;
    }
    return {
      id: this.#id,
      name: this.#spec.name,
      map: { namespace: this.#map.metadata.namespace ?? '', name: this.#map.metadata.name },
      table: addressOf(this.#table),
      columns: this.#table.columns.map((column) => column.name),
      categories: this.#spec.categories ?? [],
      fieldCategories: (this.#spec.fields ?? []).flatMap((field) => field.categories ?? []),
      subjects: this.#spec.subjects ?? this.#map.spec.defaults?.subjects ?? [],
      subjectKeys: (this.#spec.subjectKeys ?? []).map((key) => this.#subjectKey(key)),
      times,
      ...(client ? { client } : {}),
      acknowledged: (this.#spec.acknowledge ?? []).map((entry) => entry.trigger),
      ...this.#references(),
      problems: this.#problems,
    };
  }

  #subjectKey({ field, path, identity }: NonNullable<Collection['subjectKeys']>[number]): SubjectKey {
    if (!this.#hasColumn(field, 'subjectKeys')) return { identity, because: `its subject key for identity ${identity} names column ${field}, which the table does not have` };
    const place = { via: [], field };
    if (path === undefined) return { identity, path: place };
    const type = this.#table.columns.find((column) => column.name === field)?.type;
    if (type !== 'jsonb') return { identity, because: `its subject key for identity ${identity} is a path within column ${field}, which is of type ${type} and not jsonb` };
    return { identity, path: place, keys: path.split('.').slice(1) };
  }

  #references(): Pick<MappedCollection, 'references'> {
    const { references, problems } = resolveReferences(this.#spec, this.#table, (name) => {
      const target = this.#map.spec.collections?.find((candidate) => candidate.name === name);
      return target && collectionTables(target.table, this.#inventory);
    });
    for (const { reason, message } of problems) this.#problem(reason, message);
    return references.length > 0 ? { references } : {};
  }

  #time(time: TimeEvent, spec: Collection, table: TableFact): TimeField | undefined {
    if (time.via !== undefined) {
      const target = this.#follow(time.via, spec, table, 'times');
      const there = target?.spec.times?.find((candidate) => candidate.event === time.event && candidate.field !== undefined);
      if (!target || !there) {
        this.#problem('UnresolvedReference', `event ${time.event} is to be read through ${time.via}, but the collection it refers to does not declare that event with a field; declare it there`);
        return undefined;
      }
      const field = this.#time(there, target.spec, target.table);
      return field && { ...field, path: { via: [target.hop, ...field.path.via], field: field.path.field } };
    }
    if (time.field === undefined || !this.#hasColumn(time.field, `times[${time.event}]`, table)) return undefined;
    const type = time.type ?? 'TimestampTZ';
    if (!this.#holdsTime(time.field, type, time.event, table)) return undefined;
    return {
      path: { via: [], field: time.field },
      type,
      ...(time.timeZone !== undefined ? { timeZone: time.timeZone } : {}),
      ...(time.plausibleFrom !== undefined ? { plausibleFrom: time.plausibleFrom } : {}),
    };
  }

  /** The client of a collection, through references when need be; four hops end every sensible schema and every cycle. */
  #client(spec: Collection, table: TableFact, depth: number): ClientKey | undefined {
    const declared = spec.client ?? this.#map.spec.client;
    if (!declared) return undefined;
    if (declared.value !== undefined) return { value: declared.value };
    if (declared.schema !== undefined) return matchesPattern(declared.schema, table.schema) ? { value: table.schema } : undefined;
    if (declared.field !== undefined) {
      // A map-wide default names a column that not every table has; only a collection's own word is a fault.
      if (!spec.client && !columnOf(table, declared.field)) return undefined;
      return this.#hasColumn(declared.field, 'client', table) ? { path: { via: [], field: declared.field } } : undefined;
    }
    if (declared.via === undefined || depth > 3) return undefined;
    const target = this.#follow(declared.via, spec, table, 'client');
    const there = target && this.#client(target.spec, target.table, depth + 1);
    if (!target || !there) return undefined;
    return 'value' in there ? there : { path: { via: [target.hop, ...there.path.via], field: there.path.field } };
  }

  /** Follows a declared reference, else the foreign key on that column, to a collection of the same map. */
  #follow(field: string, spec: Collection, table: TableFact, where: string): { spec: Collection; table: TableFact; hop: FieldPath['via'][number] } | undefined {
    if (!this.#hasColumn(field, where, table)) return undefined;
    const declared = spec.references?.find((reference) => reference.field === field);
    const key = table.foreignKeys.find((candidate) => candidate.columns.length === 1 && candidate.columns[0] === field);
    const toField = declared?.toField ?? key?.referencedColumns[0];
    const target = declared
      ? this.#map.spec.collections?.find((candidate) => candidate.name === declared.to)
      : this.#map.spec.collections?.find((candidate) => key && matchesPattern(candidate.table.schema, key.references.schema) && matchesPattern(candidate.table.name, key.references.name));
    const targetTable = target && this.#referencedTable(collectionTables(target.table, this.#inventory), table, key?.references);
    if (!target || !targetTable || toField === undefined) {
      this.#problem('UnresolvedReference', `${where} goes through ${field}, but neither spec.collections[].references nor a foreign key says which table of this map it refers to; add a reference to a collection that means one table`);
      return undefined;
    }
    if (!this.#hasColumn(toField, 'references[].toField', targetTable)) return undefined;
    return { spec: target, table: targetTable, hop: { field, table: addressOf(targetTable), toField } };
  }

  /**
   * Of the tables a collection means, the one a row refers to: by the foreign key, else the only one, else the only
   * one of the same schema. Anything else would read the time or client of a stranger's row.
   */
  #referencedTable(candidates: readonly TableFact[], from: TableFact, byKey: TableAddress | undefined): TableFact | undefined {
    const byName = byKey && candidates.find((candidate) => candidate.schema === byKey.schema && candidate.name === byKey.name);
    if (byName) return byName;
    const near = candidates.length > 1 ? candidates.filter((candidate) => candidate.schema === from.schema) : candidates;
    return near.length === 1 ? near[0] : undefined;
  }

  #hasColumn(name: string, where: string, table: TableFact = this.#table): boolean {
    if (columnOf(table, name)) return true;
    this.#problem('MissingColumn', `${where} names column ${name}, which table ${table.schema}.${table.name} does not have; correct the map or bring the column back`);
    return false;
  }

  /** A column of another type fails every statement that reads it, of whatever collection: its event is as good as not there. */
  #holdsTime(name: string, declared: TimeType, event: string, table: TableFact): boolean {
    const column = table.columns.find((each) => each.name === name);
    const type = column?.base ?? column?.type;
    if (type === undefined || TIME_COLUMN_TYPES[declared].includes(type)) return true;
    const fitting = timeTypesOf(type).map((each) => (each === 'Timestamp' ? 'Timestamp with the timeZone it was written in' : each));
    const next = fitting.length === 0 ? 'name a column that holds a time' : `write type: ${fitting.join(' or ')}, or name another column`;
    this.#problem('TypeMismatch', `times[${event}] declares column ${name} of table ${tableName(table)} as ${declared}, but it is of type ${type}; ${next}`);
    return false;
  }

  #problem(reason: string, message: string): void {
    this.#problems.push({ reason, collection: this.#id, message: `collection ${this.#spec.name}: ${message}` });
  }
}

const columnOf = (table: TableFact, name: string): boolean => table.columns.some((column) => column.name === name);
