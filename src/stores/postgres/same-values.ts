import type { Comparison } from './uses.ts';

const NUMBERS: readonly string[] = ['smallint', 'integer', 'bigint', 'numeric'];
const TEXTS: readonly string[] = ['text', 'character varying'];

/** How values of a type are written when a column of it becomes text. Of those left out a value has no one way to be written. */
const WRITTEN: Readonly<Record<string, RegExp>> = {
  smallint: /^(?:0|-?[1-9]\d*)$/,
  integer: /^(?:0|-?[1-9]\d*)$/,
  bigint: /^(?:0|-?[1-9]\d*)$/,
  uuid: /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
};

/**
 * Whether a comparison that was written for a column of one type is true of the same rows, or of more, since the column has
 * another: `7` finds what `07` did among numbers and does not among texts. It is taken that the server converted the
 * values by itself; one that was told how (`USING`) may have put any values into the column, as an UPDATE may.
 *
 * @param before base types, as `ResolvedColumn` has them
 */
export function findsTheSame({ values, onlyEqual }: Comparison, before: string, now: string): boolean {
  if (before === now) return true;
  if ([NUMBERS, TEXTS].some((family) => family.includes(before) && family.includes(now))) return true;
  // Equal texts are read as equal values of any type. Other texts may be, too.
  if (TEXTS.includes(before)) return onlyEqual;
  const written = WRITTEN[before];
  return written !== undefined && TEXTS.includes(now) && values.every((value) => written.test(value));
}
