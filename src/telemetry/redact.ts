/**
 * What may leave the process as text. Logs, events and conditions are read by more people than the data is, so nothing
 * that could be a secret or a person's value goes through here unmasked. Pure.
 */

export const REDACTED = '[redacted]';

const SECRET_KEY =
  /pass(word|wd|phrase)?$|^pwd$|token|secret|authorization|cookie|credential|connection_?string|dsn$|key_?material|(private|encryption|signing|access|api|master|data|hmac|client)[-_]?key(data)?$/i;
/** Names of objects and counters, which the pattern above would catch though they give nothing away. */
const HARMLESS_KEY = /(Ref|Name|Namespace|File|Path|Kind|Version|Count|Total|Seconds|Ms)$/;
/** Fields that hold rows or bound values when they are not mere counts. */
const ROW_KEY = /^(rows?|values?|params|parameters|binds?|bindings)$/i;

const MAX_DEPTH = 8;
const MAX_ENTRIES = 200;
const MAX_TEXT = 8_192;

/** A deep copy of `value` that is safe to log: secrets by key name, credentials inside texts, errors, cycles, sizes. */
export function redact(value: unknown): unknown {
  return copy(value, 0, new Set());
}

function copy(value: unknown, depth: number, above: Set<object>): unknown {
  if (typeof value === 'string') return maskCredentials(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'function' || typeof value === 'symbol') return `[${typeof value}]`;
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return describeError(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (value instanceof URL) return maskCredentials(value.href);
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
  if (above.has(value)) return '[circular]';
  if (depth >= MAX_DEPTH) return '[too deep]';
  const path = new Set(above).add(value);
  if (Array.isArray(value)) return value.slice(0, MAX_ENTRIES).map((entry) => copy(entry, depth + 1, path));
  return Object.fromEntries(entriesOf(value).slice(0, MAX_ENTRIES).map(([key, entry]) => [maskCredentials(key), hides(key, entry) ? REDACTED : copy(entry, depth + 1, path)]));
}

function entriesOf(value: object): [string, unknown][] {
  if (value instanceof Map) return [...value].map(([key, entry]) => [typeof key === 'object' || typeof key === 'symbol' ? `[${typeof key}]` : String(key), entry]);
  if (value instanceof Set) return [...value].map((entry, index) => [String(index), entry]);
  return Object.entries(value);
}

function hides(key: string, value: unknown): boolean {
  if (value === null || value === undefined || typeof value === 'boolean') return false;
  if (ROW_KEY.test(key)) return typeof value !== 'number';
  return SECRET_KEY.test(key) && !(HARMLESS_KEY.test(key) && typeof value !== 'object');
}

/** `text` with URL credentials, bearer and JSON web tokens, PEM blocks and `password=...` pairs masked, and cut to 8 kB. */
export function maskCredentials(text: string): string {
  return text
    .slice(0, MAX_TEXT)
    .replace(/-----BEGIN [A-Z0-9 ]+-----[\s\S]*?(-----END [A-Z0-9 ]+-----|$)/g, REDACTED)
    .replace(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi, `$1${REDACTED}@`)
    .replace(/\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}/gi, `$1 ${REDACTED}`)
    .replace(/\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g, REDACTED)
    .replace(/\bAGE-SECRET-KEY-1[A-Z0-9]+/g, REDACTED)
    .replace(/\b(password|passwd|pwd|passphrase|token|secret|api[-_]?key)(\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;&"']+)/gi, `$1$2${REDACTED}`);
}

/**
 * `text` of unknown making (a driver's error, say) with every part masked that could be a stored value:
 * quoted literals, `(column)=(value)` pairs, mail addresses and runs of five or more digits.
 */
function maskValues(text: string): string {
  return maskCredentials(text)
    .replace(/=\([^)]*\)/g, '=(…)')
    .replace(/"[^"]*"/g, '"…"')
    .replace(/'[^']*'/g, "'…'")
    .replace(/`[^`]*`/g, '`…`')
    .replace(/[^\s<>()"'=]+@[^\s<>()"']+\.[a-z]{2,}/gi, '…')
    .replace(/\d{5,}/g, '…');
}

/**
 * The sentence of an error that people may read. An error class of ours whose messages are written for people says so
 * with `publicMessage = true`; anything else may quote a row, so its values are masked.
 */
export function errorMessage(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.slice(0, 3).map(errorMessage).join('; ');
  if (!(error instanceof Error)) return typeof error === 'string' ? maskValues(error) : 'an unknown error (not an Error object) was thrown';
  const isPublic = 'publicMessage' in error && error.publicMessage === true;
  const text = isPublic ? maskCredentials(error.message) : maskValues(error.message);
  return text === '' ? error.name : text;
}

/** An error as plain data for a log line: its class, code, masked message, the places in the code, and its causes. */
export function describeError(error: unknown, depth = 0): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: errorMessage(error) };
  const extra: Record<string, unknown> = {};
  for (const field of ['code', 'status', 'reason', 'syscall'] as const) {
    const value: unknown = field in error ? (error as unknown as Record<string, unknown>)[field] : undefined;
    if (typeof value === 'number' || (typeof value === 'string' && /^[\w.-]{1,64}$/.test(value))) extra[field] = value;
  }
  const places = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line)).slice(0, 12).map((line) => line.trim());
  return {
    name: error.name,
    ...extra,
    message: errorMessage(error),
    ...(places.length > 0 ? { at: places } : {}),
    ...(error.cause !== undefined && depth < 3 ? { cause: describeError(error.cause, depth + 1) } : {}),
  };
}
