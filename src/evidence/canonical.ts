import { hash } from 'node:crypto';

/**
 * Canonical JSON after RFC 8785: one value has exactly one text, so that a digest or a signature over it can be
 * computed again by anybody.
 */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Deeper values are refused: common JSON tools stop at 256 levels, and no evidence of ours comes near. */
const MAX_DEPTH = 64;

const LONE_SURROGATE = /\p{Surrogate}/u;
/** Printable ASCII but the quote and the backslash. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** A value that has no canonical JSON text. `path` names the place, never the value. */
export class CanonicalJsonError extends Error {
  override readonly name = 'CanonicalJsonError';
  readonly path: string;

  constructor(path: string, problem: string) {
    super(`${path} ${problem}, which has no canonical JSON form; leave it out or turn it into text or a whole number`);
    this.path = path;
  }
}

/**
 * The RFC 8785 text of a value: no white space, keys in UTF-16 code unit order, numbers and strings as ECMAScript
 * writes them. Throws `CanonicalJsonError` for whatever JSON cannot carry without loss: undefined (also as a
 * property), NaN, infinities, bigint, lone surrogates, sparse arrays, anything but plain objects and arrays.
 */
export function canonicalJson(value: unknown): string {
  const out = writeFast(value) ?? write(value, 0);
  if (out === undefined) throw problemOf(value, '$', 0) ?? new CanonicalJsonError('$', 'cannot be written');
  return out;
}

/** `sha256:` and the hex digest of the canonical text. Throws as `canonicalJson` does. */
export function canonicalDigest(value: unknown): string {
  return `sha256:${hash('sha256', canonicalJson(value), 'hex')}`;
}

/**
 * Whether `text` is the canonical text of the value that `JSON.parse` made of it. Doubled keys, other spellings of
 * numbers or strings, white space and another order of keys all make it false.
 */
export function isCanonicalText(text: string, parsed: unknown): boolean {
  // The engine's own writer is several times faster and nearly always right: it only differs in the order of keys,
  // which is checked beside it, and in lone surrogates, which it writes as \ud...
  if (JSON.stringify(parsed) === text && isInOrder(parsed, 0) && !text.includes('\\ud')) return true;
  return write(parsed, 0) === text;
}

/** The engine's own text of a value where it is the canonical one: most are, and it is one string, not a rope of many. */
function writeFast(value: unknown): string | undefined {
  if (typeof value === 'string') return PLAIN.test(value) ? `"${value}"` : undefined;
  if (!isInOrder(value, 0)) return undefined;
  const out = JSON.stringify(value);
  return out.includes('\\ud') ? undefined : out;
}

/** Whether the engine loses nothing of a value and writes its keys in canonical order. */
function isInOrder(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return Number.isFinite(value);
    case 'object':
      if (value === null) return true;
      if (depth === MAX_DEPTH) return false;
      return Array.isArray(value) ? isListInOrder(value, depth) : isPlain(value) && keysAreInOrder(value, depth);
    default:
      return false;
  }
}

function isListInOrder(values: readonly unknown[], depth: number): boolean {
  for (let i = 0; i < values.length; i++) if (!isInOrder(values[i], depth + 1)) return false;
  return true;
}

function keysAreInOrder(value: object, depth: number): boolean {
  let last: string | undefined;
  for (const key of Object.keys(value)) {
    if (last !== undefined && key < last) return false;
    last = key;
    if (!isInOrder((value as Record<string, unknown>)[key], depth + 1)) return false;
  }
  return true;
}

/** Undefined where there is no canonical text; finding out where costs time only then. */
function write(value: unknown, depth: number): string | undefined {
  switch (typeof value) {
    case 'string':
      return writeText(value);
    case 'number':
      return Number.isFinite(value) ? String(value) : undefined;
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      if (value === null) return 'null';
      if (depth === MAX_DEPTH) return undefined;
      return Array.isArray(value) ? writeList(value, depth) : writeObject(value, depth);
    default:
      return undefined;
  }
}

function writeText(value: string): string | undefined {
  // Most texts are names: nothing in them to escape, and a call of the engine's writer costs three times the test.
  if (PLAIN.test(value)) return `"${value}"`;
  const out = JSON.stringify(value);
  // A lone surrogate becomes an escape that other readers turn into U+FFFD: two values, one text.
  return out.includes('\\ud') && LONE_SURROGATE.test(value) ? undefined : out;
}

function writeList(values: readonly unknown[], depth: number): string | undefined {
  let out = '[';
  // An index loop, not map(): map() skips the holes of a sparse array and would write `[,]`.
  for (let i = 0; i < values.length; i++) {
    const item = write(values[i], depth + 1);
    if (item === undefined) return undefined;
    out += i > 0 ? `,${item}` : item;
  }
  return `${out}]`;
}

function writeObject(value: object, depth: number): string | undefined {
  if (!isPlain(value)) return undefined;
  let out = '{';
  for (const key of Object.keys(value).sort()) {
    const name = writeText(key);
    const item = write((value as Record<string, unknown>)[key], depth + 1);
    if (name === undefined || item === undefined) return undefined;
    out += out.length > 1 ? `,${name}:${item}` : `${name}:${item}`;
  }
  return `${out}}`;
}

/** A Date, Map or Buffer would silently become {} or an index map. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** The first place that keeps a value from being written. */
function problemOf(value: unknown, path: string, depth: number): CanonicalJsonError | undefined {
  if (typeof value === 'string') return LONE_SURROGATE.test(value) ? new CanonicalJsonError(path, 'holds half of a surrogate pair') : undefined;
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : new CanonicalJsonError(path, `is ${value}`);
  if (typeof value === 'boolean' || value === null) return undefined;
  if (typeof value !== 'object') return new CanonicalJsonError(path, `is of type ${typeof value}`);
  if (depth === MAX_DEPTH) return new CanonicalJsonError(path, `is nested deeper than ${MAX_DEPTH} levels`);
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const problem = problemOf(value[i], `${path}[${i}]`, depth + 1);
      if (problem) return problem;
    }
    return undefined;
  }
  if (!isPlain(value)) return new CanonicalJsonError(path, 'is not a plain object');
  for (const key of Object.keys(value).sort()) {
    if (LONE_SURROGATE.test(key)) return new CanonicalJsonError(path, 'has a key that holds half of a surrogate pair');
    const problem = problemOf((value as Record<string, unknown>)[key], `${path}.${key}`, depth + 1);
    if (problem) return problem;
  }
  return undefined;
}
