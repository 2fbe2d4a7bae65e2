import { compareText } from '../api/compare-text.ts';
import type { Collection, DataMap } from '../api/generated/dataMap.ts';
import type { Coverage, UnclassifiedTable } from '../api/generated/dataStore.ts';
import type { Inventory, TableFact } from '../stores/facts.ts';
import { tableKey, tableName } from '../stores/predicate.ts';
import type { MappedCollection } from './collections.ts';
import { exemptions, type Exemptions } from './exemptions.ts';
import { ancestorsOf, isPartition } from './inheritance.ts';
import type { ResolvedMaps } from './resolve-maps.ts';

/** Status lists show the worst and count the rest: no object grows with the data. */
const WORST = 50;

/**
 * Compares what the store holds with what its maps say. A table nobody named, or a named one with a column
 * nobody described, is unclassified: a second copy nobody enumerated is how data outlives its period.
 */
export function coverage(inventory: Inventory, resolved: ResolvedMaps, maps: readonly DataMap[]): Coverage {
  const claimed = new Map(resolved.collections.map((collection) => [tableKey(collection.table), collection]));
  const statements = maps.map((map) => ({ map: `${map.metadata.namespace}/${map.metadata.name}`, ...exemptions(map, inventory) }));
  const findings: UnclassifiedTable[] = [];
  let mapped = 0;
  let declaredFree = 0;
  const ancestors = ancestorsOf(inventory);
  const tables = inventory.tables.filter((table) => !isPartition(table));
  for (const table of tables) {
    const key = tableName(table);
    const free = statements.some(({ standing }) => standing.has(key));
    const own = claimed.get(tableKey(table));
    const collection = own ?? (free ? undefined : inheritedClaim(table, claimed, ancestors));
    const open = collection && openColumns(own ? table : addedTo(collection, table), collection, maps);
    if (collection && !open) mapped += 1;
    else if (open) findings.push({ table: key, why: open });
    else if (free) declaredFree += 1;
    else findings.push({ table: key, why: lapsedReason(key, statements) ?? detachedReason(table, tables) ?? unmappedReason(table) });
  }
  findings.sort((a, b) => Number(b.why.includes('looks like')) - Number(a.why.includes('looks like')) || compareText(a.table, b.table));
  return {
    tables: tables.length,
    mapped,
    nonPersonal: declaredFree,
    unclassified: findings.length,
    worst: findings.slice(0, WORST),
    truncated: Math.max(0, findings.length - WORST),
    otherDatabases: inventory.otherDatabases.slice(0, WORST),
  };
}

/** The collection of a table that one inherits from, and of which its rows are a part. */
function inheritedClaim(table: TableFact, claimed: ReadonlyMap<string, MappedCollection>, ancestors: ReturnType<typeof ancestorsOf>): MappedCollection | undefined {
  return [...(ancestors.get(tableKey(table)) ?? [])].map((key) => claimed.get(key)).find((collection) => collection !== undefined);
}

/** An inheritance child with the columns it has beyond those of what it inherits from, where they are judged; keys are not inherited, and what is said of theirs is. */
const addedTo = ({ columns }: MappedCollection, child: TableFact): TableFact => ({ ...child, columns: child.columns.filter(({ name }) => !columns.includes(name)) });

/** What of a mapped table nobody has said; undefined where all is. */
function openColumns(table: TableFact, collection: MappedCollection, maps: readonly DataMap[]): string | undefined {
  const map = maps.find((candidate) => candidate.metadata.namespace === collection.map.namespace && candidate.metadata.name === collection.map.name);
  const spec = map?.spec.collections?.find((candidate) => candidate.name === collection.name);
  if (!map || !spec) return undefined;
  const undescribed = map.spec.defaults.otherColumns === 'NonPersonal' ? [] : undescribedColumns(table, map, spec);
  if (undescribed.length > 0) return `nobody has described ${columnList(undescribed)}`;
  const unstated = unstatedColumns(table, spec);
  return unstated.length > 0 ? `nobody has said which categories of data are within ${columnList(unstated)}, which may hold anything; list them in spec.collections[].fields` : undefined;
}

/** Columns with an inner form that a name or a default says nothing about: JSON by its type, free text by what the map says. */
function unstatedColumns(table: TableFact, spec: Collection): string[] {
  const stated = new Map((spec.fields ?? []).map((field) => [field.name, field]));
  return table.columns.filter(({ name, type }) => (INNER_FORM.test(type) || stated.get(name)?.content !== undefined) && !stated.get(name)?.categories).map(({ name }) => name);
}

const INNER_FORM = /(^|[."])(jsonb?|xml|hstore)"?(\[\])*$/;

function undescribedColumns(table: TableFact, map: DataMap, spec: Collection): string[] {
  const described = new Set([
    ...table.primaryKey,
    ...table.foreignKeys.flatMap((key) => key.columns),
    ...(spec.fields ?? []).map((field) => field.name),
    ...(spec.subjectKeys ?? []).map((key) => key.field),
    ...(spec.references ?? []).map((reference) => reference.field),
    ...(spec.times ?? []).flatMap((time) => [time.field, time.via].filter((name) => name !== undefined)),
    ...[spec.client ?? map.spec.client].flatMap((key) => (key ? [key.field, key.via].filter((name) => name !== undefined) : [])),
  ]);
  return table.columns.map((column) => column.name).filter((name) => !described.has(name));
}

/** Why nobody's word that a table holds no personal data counts any more; undefined where nobody gave it. */
function lapsedReason(key: string, statements: readonly ({ map: string } & Exemptions)[]): string | undefined {
  for (const { map, lapsed, unwatched } of statements) {
    const added = lapsed.get(key);
    const hint = added?.map(looksLike).find((category) => category !== undefined);
    if (added) return `DataMap ${map} called it free of personal data before it had ${columnList(added)}${hint ? `, which looks like ${hint}` : ''}; describe the table, or make the statement in spec.nonPersonal anew, with another reviewAt`;
    if (unwatched.has(key)) return `DataMap ${map} calls more tables free of personal data than it can watch for new columns (500 tables, 10000 columns); put some of them into a DataMap of their own`;
  }
  return undefined;
}

function columnList(columns: readonly string[]): string {
  const shown = columns.slice(0, 3).join(', ');
  return `${columns.length === 1 ? 'column' : 'columns'} ${shown}${columns.length > 3 ? ` and ${columns.length - 3} more` : ''}`;
}

/** A partition that somebody, or an extension, detached is a table of its own: no rule of its former parent reaches its rows. */
function detachedReason(table: TableFact, tables: readonly TableFact[]): string | undefined {
  if (table.kind !== 'Table' || table.parents.length > 0) return undefined;
  const parent = tables.find((candidate) => candidate.kind === 'PartitionedTable' && shapeOf(candidate) === shapeOf(table));
  return parent && `no map names it; it has the columns of ${tableName(parent)} and looks like a partition that was detached, so no rule reaches its rows; attach it, describe it or drop it`;
}

const shapeOf = ({ columns }: TableFact): string => JSON.stringify(columns.map(({ name, type }) => [name, type]).toSorted());

function unmappedReason(table: TableFact): string {
  for (const column of table.columns) {
    const category = looksLike(column.name);
    if (category) return `no map names it; column ${column.name} looks like ${category}`;
  }
  return 'no map names it';
}

const NAME_HINTS: readonly (readonly [RegExp, string])[] = [
  [/e_?mail/, 'user.contact.email'],
  [/phone|mobile|msisdn/, 'user.contact.phone_number'],
  [/(first|last|full|sur|given|family)_?name/, 'user.name'],
  [/birth|^dob$/, 'user.demographic.date_of_birth'],
  [/street|postcode|zip_?code|postal/, 'user.contact.address'],
  [/iban|card_?number|account_?number/, 'user.financial.account_number'],
  [/(^|_)ip(_?addr(ess)?)?$/, 'user.device.ip_address'],
  [/passport|ssn|social_?security|tax_?id|national_?id/, 'user.government_id'],
  [/passw/, 'user.authorization.credentials'],
  [/visitor|user_?id|customer|person|subject/, 'user.unique_id'],
];

/** A hint from the column's name alone: values are never read for it. */
export function looksLike(column: string): string | undefined {
  const name = column.toLowerCase();
  return NAME_HINTS.find(([pattern]) => pattern.test(name))?.[1];
}
