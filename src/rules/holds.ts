import { isDeepStrictEqual } from 'node:util';
import { Temporal } from 'temporal-polyfill';
import { compareText } from '../api/compare-text.ts';
import type { HoldBlock } from '../api/generated/legalHold.ts';
import type { StoreHold } from '../stores/fence.ts';
import { tableKey, tableName } from '../stores/predicate.ts';
import type { Cutoff, Predicate, TableAddress } from '../stores/predicate.ts';
import { groupBy, type MappedCollection } from './collections.ts';
import { allOf, anyOf } from './rows.ts';
import { coversCollection } from './select.ts';

/** Identifiers of a block's `subjects` Secret by identity; `Unreadable` holds the whole block. */
export type SubjectIdentifiers = Record<string, string[]> | 'Unreadable';

export interface ResolvedHold {
  items: StoreHold['items'];
  /** Where the hold is wider than its words because a collection cannot express them. */
  widened: { collection: string; because: string }[];
  /** Places, among the blocks given, of those that keep something here: they match a collection that may have such rows. */
  matched: number[];
}

/**
 * Resolves a hold against one store: which rows of which tables it covers.
 *
 * Blocks are OR-ed, the parts of a block AND-ed. A part that a collection cannot express (no such event, no
 * client, no subject key) is dropped, which widens the hold to what remains: a hold errs by keeping too much.
 *
 * @param blocks blocks of the hold whose `stores` cover this store, with their subject identifiers.
 */
export function resolveHold(blocks: readonly { block: HoldBlock; subjects?: SubjectIdentifiers }[], collections: readonly MappedCollection[]): ResolvedHold {
  const widened: ResolvedHold['widened'] = [];
  const parts: { table: TableAddress; predicate: Predicate }[] = [];
  const matched = new Set<number>();
  for (const [index, { block, subjects }] of blocks.entries()) {
    for (const collection of collections) {
      if (!coversCollection(block.collections, collection, 'Protecting')) continue;
      const predicates = [clientPart(block, collection, widened), subjectPart(subjects, collection, widened), betweenPart(block, collection, widened)];
      parts.push({ table: collection.table, predicate: allOf(predicates) });
      if (!predicates.some(({ op }) => op === 'false')) matched.add(index);
    }
  }
  const items = [...groupBy(parts, ({ table }) => tableKey(table)).values()].map((group) => ({
    table: (group[0] as (typeof parts)[number]).table,
    predicate: anyOf(group.map((part) => part.predicate)),
  }));
  return { items: items.toSorted((a, b) => compareText(tableName(a.table), tableName(b.table))), widened, matched: [...matched] };
}

/**
 * Tables in which what stands of a hold keeps more than its words mean now: an item only goes with the hold, and once a
 * Secret was missing, or a map had no client key, all of a table is in it. Told by the parts of items, which stay as they
 * are while blocks are added; what cannot be compared counts as more.
 */
export function leftStanding(standing: StoreHold['items'], now: StoreHold['items']): TableAddress[] {
  const meant = new Map(now.map((item) => [tableKey(item.table), item.predicate]));
  const wider = standing.filter((item) => !isWithin(item.predicate, meant.get(tableKey(item.table))));
  return [...groupBy(wider, ({ table }) => tableKey(table)).values()].flatMap(([first]) => (first ? [first.table] : []));
}

function isWithin(predicate: Predicate, all: Predicate | undefined): boolean {
  if (!all) return false;
  const parts = partsOf(all);
  return parts.some((part) => part.op === 'true') || partsOf(predicate).every((part) => parts.some((other) => isDeepStrictEqual(part, other)));
}

const partsOf = (predicate: Predicate): Predicate[] => (predicate.op === 'or' ? predicate.of.flatMap(partsOf) : [predicate]);

function clientPart(block: HoldBlock, collection: MappedCollection, widened: ResolvedHold['widened']): Predicate {
  const keys = block.clients.keys;
  if (!keys) return { op: 'true' };
  if (!collection.client) return widen(widened, collection, 'it declares no client key');
  if ('value' in collection.client) return keys.includes(collection.client.value) ? { op: 'true' } : { op: 'false' };
  return { op: 'oneOf', field: collection.client.path, values: keys };
}

function subjectPart(subjects: SubjectIdentifiers | undefined, collection: MappedCollection, widened: ResolvedHold['widened']): Predicate {
  if (subjects === undefined) return { op: 'true' };
  if (subjects === 'Unreadable') return widen(widened, collection, 'the Secret with its subjects is missing or was changed');
  const missing = Object.keys(subjects).find((identity) => !collection.subjectKeys.some((key) => key.identity === identity));
  // Somebody known by that identity alone could be in any row, so finding the others is not enough.
  if (missing !== undefined) return widen(widened, collection, `it has no subject key for identity ${missing}`);
  const parts = collection.subjectKeys.flatMap((key): Predicate[] => {
    const values = subjects[key.identity];
    if (!values) return [];
    if ('because' in key) return [widen(widened, collection, key.because)];
    return [key.keys ? { op: 'jsonOneOf', field: key.path, keys: key.keys, values } : { op: 'oneOf', field: key.path, values }];
  });
  return anyOf(parts);
}

/** Half-open in UTC days, `from` included. An unknown time is inside: only proof that a row lies outside frees it. */
function betweenPart(block: HoldBlock, collection: MappedCollection, widened: ResolvedHold['widened']): Predicate {
  const between = block.between;
  if (!between) return { op: 'true' };
  const time = collection.times[between.event];
  if (!time) return widen(widened, collection, `it declares no event ${between.event}`);
  const inside = allOf([
    { op: 'notBefore', time, cutoff: utcDay(between.from) },
    { op: 'before', time, cutoff: utcDay(between.to) },
  ]);
  return anyOf([inside, { op: 'indeterminate', time, now: '9999-01-01T00:00:00Z' }]);
}

function widen(widened: ResolvedHold['widened'], collection: MappedCollection, because: string): Predicate {
  widened.push({ collection: collection.id, because });
  return { op: 'true' };
}

function utcDay(date: string): Cutoff {
  const day = Temporal.PlainDate.from(date.slice(0, 10));
  return { instant: day.toZonedDateTime('UTC').toInstant().toString(), localDate: day.toString(), timeZone: 'UTC' };
}
