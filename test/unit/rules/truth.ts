import type { CollectionRule } from '../../../src/stores/counting.ts';
import type { Predicate, TimeField } from '../../../src/stores/predicate.ts';

/** Columns of a row; times as RFC 3339 or `infinity`. */
export type Row = Readonly<Record<string, string | null>>;
/** null is unknown. */
export type Truth = boolean | null;

/** What a predicate says of a row, in three-valued logic, for times of type TimestampTZ of the row itself. */
export function truth(predicate: Predicate, row: Row): Truth {
  switch (predicate.op) {
    case 'true':
      return true;
    case 'false':
      return false;
    case 'and':
      return all(predicate.of.map((part) => truth(part, row)));
    case 'or':
      return not(all(predicate.of.map((part) => not(truth(part, row)))));
    case 'not':
      return not(truth(predicate.of, row));
    case 'isNull':
      return value(row, predicate.field.field) === null;
    case 'oneOf': {
      const held = value(row, predicate.field.field);
      return held === null ? null : predicate.values.includes(held);
    }
    case 'jsonOneOf':
    case 'compare':
      throw new Error('these tests generate no comparison');
    case 'before': {
      const at = instant(predicate.time, row);
      return at === null ? null : at > -Infinity && at < Date.parse(predicate.cutoff.instant);
    }
    case 'notBefore': {
      const at = instant(predicate.time, row);
      return at === null ? null : !(at > -Infinity && at < Date.parse(predicate.cutoff.instant));
    }
    case 'indeterminate': {
      const at = instant(predicate.time, row);
      const from = predicate.time.plausibleFrom;
      return at === null || Math.abs(at) === Infinity || at > Date.parse(predicate.now) || (from !== undefined && at < Date.parse(from));
    }
  }
}

/** A driver deletes a row only where the due predicate is true and every guard is false. */
export function deletable(rule: CollectionRule, row: Row): boolean {
  return rule.due !== undefined && truth(rule.due, row) === true && rule.guards.every((guard) => truth(guard.predicate, row) === false);
}

const not = (of: Truth): Truth => (of === null ? null : !of);
const all = (parts: Truth[]): Truth => (parts.includes(false) ? false : parts.includes(null) ? null : true);
const value = (row: Row, field: string): string | null => row[field] ?? null;

function instant(time: TimeField, row: Row): number | null {
  const text = value(row, time.path.field);
  if (text === null) return null;
  if (text === 'infinity') return Infinity;
  return text === '-infinity' ? -Infinity : Date.parse(text);
}
