/**
 * Field types of signed documents, narrow enough that any JSON tool which sorts keys writes the same bytes as RFC 8785
 * does: whole numbers that are exact in a double, and text without control characters or DEL, which tools escape
 * differently. So a signature can be checked with jq and openssl.
 */

export const TEXT = { type: 'string', minLength: 1, maxLength: 300, pattern: '^[^\\u0000-\\u001f\\u007f\\ud800-\\udfff]+$' } as const;
export const COUNT = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const;
export const DIGEST = { type: 'string', pattern: '^sha256:[0-9a-f]{64}$' } as const;
export const INSTANT = {
  type: 'string',
  pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$',
} as const;
export const AUDIT_CHAIN_ID = { type: 'string', pattern: '^[A-Za-z0-9-]{1,64}$' } as const;
