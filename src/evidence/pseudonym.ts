import { createHmac } from 'node:crypto';

/**
 * Keyed references: evidence must be able to say "the same one" without saying who. An unkeyed digest of an e-mail
 * address or a customer number is as good as the value, since all of them can be tried.
 */

const KEY_BYTES = 32;

/** `hmac-sha256:` and 64 hex digits. The key is at least 32 random bytes, kept as a secret of its own; without it the reference is just noise. */
export function pseudonym(value: string, key: Uint8Array): string {
  if (key.length < KEY_BYTES) throw new Error(`the key for references must have at least ${KEY_BYTES} bytes, not ${key.length}`);
  return `hmac-sha256:${createHmac('sha256', key).update(value.normalize('NFC')).digest('hex')}`;
}

/** An e-mail address, an IP address, or a number long enough for a phone or an account: nothing evidence may carry in clear. */
const PERSONAL = [
  /[^\s@]@[^\s@]/,
  /\b(?:\d{1,3}\.){3}\d{1,3}\b/,
  /(?:[0-9a-f]{1,4}:){3,}[0-9a-f]{0,4}/i,
  /\+?\d(?:[ ()/.-]?\d){8,}/,
];
/** Dates and times are digits too, and no secret. */
const INSTANT = /\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?/g;

/** Whether a free text may hold something about a person. A guard against accidents, not a proof of absence. */
export function looksPersonal(text: string): boolean {
  const rest = text.replace(INSTANT, '');
  return PERSONAL.some((pattern) => pattern.test(rest));
}

/**
 * A declared name, e.g. a client key, as a certificate may carry it: in clear when it is a plain name, otherwise its
 * pseudonym. A sole trader's client key may well be an e-mail address; the certificate is issued all the same.
 */
export function nameOrPseudonym(name: string, key: Uint8Array): string {
  return PLAIN_NAME.test(name) && !looksPersonal(name) ? name : pseudonym(name, key);
}

const PLAIN_NAME = /^[^\p{Cc}\p{Surrogate}]{1,300}$/u;
