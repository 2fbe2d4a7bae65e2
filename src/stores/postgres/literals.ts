import type { Predicate, TableAddress } from '../predicate.ts';
import type { Connection } from './connection.ts';
import { StoreError } from '../errors.ts';
import { sqlState } from './errors.ts';
import { literalsOf } from './sql.ts';
import type { ResolvedTable } from './sql.ts';

export interface Literals {
  /** For `CompileContext.readable`. */
  readable: (type: string, value: string) => boolean;
  /** How many of the predicates' values match nothing because their column's type cannot hold them. */
  unreadable: number;
}

/**
 * Finds out which values of the predicates the server can read in their columns' types, before any of them
 * stands in a statement: one bad value bound into an array would fail the whole statement, and leaving the
 * comparison to text would miss other spellings of the same value.
 *
 * May be called inside a transaction, which survives.
 */
export async function checkLiterals(
  connection: Connection,
  predicates: readonly { predicate: Predicate; table: ResolvedTable }[],
  lookup: (address: TableAddress) => ResolvedTable,
): Promise<Literals> {
  const byType = new Map<string, Set<string>>();
  for (const { predicate, table } of predicates) {
    for (const { type, value } of resolvableLiterals(predicate, table, lookup)) {
      const values = byType.get(type) ?? new Set();
      byType.set(type, values.add(value));
    }
  }
  const bad = new Map<string, ReadonlySet<string>>();
  let unreadable = 0;
  for (const [type, values] of byType) {
    const found = await unreadableIn(connection, type, [...values]);
    bad.set(type, found);
    unreadable += found.size;
  }
  return { readable: (type, value) => bad.get(type)?.has(value) !== true, unreadable };
}

/** A predicate that names something the store does not have is judged where it is compiled. */
function resolvableLiterals(predicate: Predicate, table: ResolvedTable, lookup: (address: TableAddress) => ResolvedTable): { type: string; value: string }[] {
  try {
    return literalsOf(predicate, { table, lookup });
  } catch (error) {
    if (error instanceof StoreError) return [];
    throw error;
  }
}

async function unreadableIn(connection: Connection, type: string, values: readonly string[]): Promise<Set<string>> {
  const usable = (value: string): boolean => isText(value) && !(moves(type) && movingTime.test(value));
  const wellFormed = values.filter(usable);
  const bad = new Set(values.filter((value) => !usable(value)));
  const found = connection.serverVersion >= 160_000 ? await askServer(connection, type, wellFormed) : await tryCasts(connection, type, wellFormed);
  for (const value of found) bad.add(value);
  return bad;
}

/** Words that PostgreSQL reads as a time but that mean another one whenever they are read: a plan would widen by itself. */
const movingTime = /\b(now|today|tomorrow|yesterday)\b/i;

function moves(type: string): boolean {
  return type.startsWith('date') || type.startsWith('time');
}

/** PostgreSQL text holds no NUL character, and half of a surrogate pair is no character at all. */
function isText(value: string): boolean {
  return !/\0|\p{Surrogate}/u.test(value);
}

async function askServer(connection: Connection, type: string, values: readonly string[]): Promise<string[]> {
  const { rows } = await connection.query<{ value: string }>('SELECT value FROM unnest($1::text[]) AS v(value) WHERE NOT pg_input_is_valid(value, $2)', [values, type]);
  return rows.map((row) => row.value);
}

/**
 * Before version 16 only a cast tells. The common key types are decided here, so that a person's identifier does
 * not appear in the server's log as the text of a failed cast; the rest by halving the list.
 */
async function tryCasts(connection: Connection, type: string, values: readonly string[]): Promise<string[]> {
  const known = readers[type];
  if (known !== undefined) return values.filter((value) => !known(value));
  return halve(connection, type, values);
}

async function halve(connection: Connection, type: string, values: readonly string[]): Promise<string[]> {
  if (values.length === 0 || (await castable(connection, type, values))) return [];
  if (values.length === 1) return [...values];
  const middle = Math.ceil(values.length / 2);
  return [...(await halve(connection, type, values.slice(0, middle))), ...(await halve(connection, type, values.slice(middle)))];
}

async function castable(connection: Connection, type: string, values: readonly string[]): Promise<boolean> {
  const inTransaction = connection.inTransaction();
  if (inTransaction) await connection.query('SAVEPOINT literal');
  try {
    // For an array column each value is itself an array and is cast alone.
    if (type.endsWith('[]')) for (const value of values) await connection.query(`SELECT $1::${type}`, [value]);
    else await connection.query(`SELECT cardinality($1::${type}[])`, [values]);
    return true;
  } catch (error) {
    // Class 22: the value is at fault. Anything else, such as a lost connection, says nothing about it.
    if (!(error instanceof StoreError) || sqlState(error)?.startsWith('22') !== true) throw error;
    if (inTransaction) await connection.query('ROLLBACK TO SAVEPOINT literal');
    return false;
  } finally {
    if (inTransaction && !connection.lost()) await connection.query('RELEASE SAVEPOINT literal').catch(() => undefined);
  }
}

const readers: Readonly<Record<string, (value: string) => boolean>> = {
  text: () => true,
  'character varying': () => true,
  bpchar: () => true,
  uuid: (value) => /^(?:[0-9a-f]{4}(?:-?[0-9a-f]{4}){7}|\{[0-9a-f]{4}(?:-?[0-9a-f]{4}){7}\})$/i.test(value),
  smallint: (value) => isInteger(value, -(2n ** 15n), 2n ** 15n - 1n),
  integer: (value) => isInteger(value, -(2n ** 31n), 2n ** 31n - 1n),
  bigint: (value) => isInteger(value, -(2n ** 63n), 2n ** 63n - 1n),
};

function isInteger(value: string, least: bigint, most: bigint): boolean {
  const digits = /^[ \t\n\v\f\r]*([+-]?)(\d+)[ \t\n\v\f\r]*$/.exec(value);
  if (digits === null) return false;
  const number = BigInt(digits[2] ?? '') * (digits[1] === '-' ? -1n : 1n);
  return number >= least && number <= most;
}
