import type { RowCondition, RowSelector } from '../api/generated/retentionPolicy.ts';
import type { FieldPath, Predicate } from '../stores/predicate.ts';

const own = (field: string): FieldPath => ({ via: [], field });

/** `spec.rows` as a predicate: `all` is every row, the conditions of `where` must all hold. */
export function rowsPredicate(rows: RowSelector): Predicate {
  if (!rows.where) return { op: 'true' };
  return allOf(rows.where.map((condition) => conditionPredicate(condition)));
}

function conditionPredicate(condition: RowCondition): Predicate {
  const field = own(condition.field);
  const values = condition.values ?? [];
  switch (condition.operator) {
    case 'In':
      return { op: 'oneOf', field, values };
    case 'NotIn':
      return { op: 'not', of: { op: 'oneOf', field, values } };
    case 'Exists':
      return { op: 'not', of: { op: 'isNull', field } };
    case 'DoesNotExist':
      return { op: 'isNull', field };
    default:
      return { op: 'compare', field, operator: condition.operator, value: values[0] ?? '' };
  }
}

/** Column names a row selection needs; a collection that lacks one cannot express it. */
export function rowFields(rows: RowSelector): string[] {
  return (rows.where ?? []).map((condition) => condition.field);
}

/** Conjunction without the noise of `true` parts. */
export function allOf(parts: Predicate[]): Predicate {
  const kept = parts.filter((part) => part.op !== 'true');
  if (kept.length === 0) return { op: 'true' };
  return kept.length === 1 ? (kept[0] as Predicate) : { op: 'and', of: kept };
}

export function anyOf(parts: Predicate[]): Predicate {
  if (parts.length === 0) return { op: 'false' };
  return parts.length === 1 ? (parts[0] as Predicate) : { op: 'or', of: parts };
}
