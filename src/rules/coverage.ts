import type { DataMap } from '../api/generated/dataMap.ts';
import type { Coverage, UnclassifiedTable } from '../api/generated/dataStore.ts';
import type { Inventory, TableFact } from '../stores/facts.ts';
import { tableKey, type MappedCollection, type ResolvedMaps } from './collections.ts';

/** Status lists show the worst and count the rest: no object grows with the data. */
const WORST = 50;

/**
 * Compares what the store holds with what its maps say. A table nobody named, or a named one with a column
 * nobody described, is unclassified: a second copy nobody enumerated is how data outlives its period.
 */
export function coverage(inventory: Inventory, resolved: ResolvedMaps, maps: readonly DataMap[]): Coverage {
  const claimed = new Map(resolved.collections.map((collection) => [tableKey(collection), collection]));
  const nonPersonal = new Set(resolved.nonPersonal.map((table) => tableKey({ table })));
  const findings: UnclassifiedTable[] = [];
  let mapped = 0;
  let declaredFree = 0;
  const tables = inventory.tables.filter((table) => table.kind !== 'Partition');
  for (const table of tables) {
    const key = tableKey({ table });
    const collection = claimed.get(key);
    const columns = collection ? undescribedColumns(table, collection, maps) : [];
    if (collection && columns.length === 0) mapped += 1;
    else if (collection) findings.push({ table: key, why: `nobody has described ${columnList(columns)}` });
    else if (nonPersonal.has(key)) declaredFree += 1;
    else findings.push({ table: key, why: unmappedReason(table) });
  }
  findings.sort((a, b) => Number(b.why.includes('looks like')) - Number(a.why.includes('looks like')) || a.table.localeCompare(b.table));
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

function undescribedColumns(table: TableFact, collection: MappedCollection, maps: readonly DataMap[]): string[] {
  const map = maps.find((candidate) => candidate.metadata.namespace === collection.map.namespace && candidate.metadata.name === collection.map.name);
  if (!map || map.spec.defaults.otherColumns === 'NonPersonal') return [];
  const spec = map.spec.collections?.find((candidate) => candidate.name === collection.name);
  const described = new Set([
    ...table.primaryKey,
    ...table.foreignKeys.flatMap((key) => key.columns),
    ...(spec?.fields ?? []).map((field) => field.name),
    ...(spec?.subjectKeys ?? []).map((key) => key.field),
    ...(spec?.references ?? []).map((reference) => reference.field),
    ...(spec?.times ?? []).flatMap((time) => [time.field, time.via].filter((name) => name !== undefined)),
    ...[spec?.client ?? map.spec.client].flatMap((key) => (key ? [key.field, key.via].filter((name) => name !== undefined) : [])),
  ]);
  return table.columns.map((column) => column.name).filter((name) => !described.has(name));
}

function columnList(columns: readonly string[]): string {
  const shown = columns.slice(0, 3).join(', ');
  return `${columns.length === 1 ? 'column' : 'columns'} ${shown}${columns.length > 3 ? ` and ${columns.length - 3} more` : ''}`;
}

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
