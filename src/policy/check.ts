import { Ajv } from 'ajv';
import type { EngineCode, StoreRef } from './contract.ts';

/** An input ready for evaluation, or the reason why it cannot be. */
export type CheckedInput = { text: string } | { error: EngineCode; detail: string };

export type InputCheck = (input: unknown) => CheckedInput;

/** JSON.stringify escapes a surrogate only when it stands alone; the Wasm parser throws on one. */
const loneSurrogate = /(?<!\\)(?:\\\\)*\\ud[89a-f][0-9a-f]{2}/i;

/**
 * A check of inputs against the schema of the catalogue. What is checked is the JSON that will be evaluated, read back:
 * a getter, a toJSON, a NaN or a Map would otherwise pass the check as one thing and arrive as another.
 *
 * @param maxBytes largest input in bytes of UTF-8
 */
export function createInputCheck(schema: Record<string, unknown>, maxBytes: number): InputCheck {
  const valid = new Ajv({ allErrors: false, strict: true }).compile(schema);
  return (input) => {
    let text: string | undefined;
    try {
      text = JSON.stringify(input);
    } catch (error) {
      return { error: 'INPUT_INVALID', detail: error instanceof Error ? error.name : 'not JSON' };
    }
    if (typeof text !== 'string') return { error: 'INPUT_INVALID', detail: 'not JSON' };
    const bytes = Buffer.byteLength(text);
    if (bytes > maxBytes) return { error: 'INPUT_TOO_LARGE', detail: `${bytes} bytes, at most ${maxBytes}` };
    if (loneSurrogate.test(text)) return { error: 'INPUT_INVALID', detail: 'a string is not well-formed Unicode' };
    if (!valid(JSON.parse(text))) {
      const [first] = valid.errors ?? [];
      // Path and rule only: a value could be anything, and messages are shown and stored.
      return { error: 'INPUT_INVALID', detail: `${first?.instancePath || '/'} ${first?.keyword === 'additionalProperties' ? 'has a field it must not have' : first?.message}` };
    }
    return { text };
  };
}

/** The store an input is about, as far as it says; for the findings of inputs that cannot be evaluated. */
export function storeOf(input: unknown): StoreRef {
  const store: unknown = field(input, 'store');
  const name = field(store, 'name');
  const namespace = field(store, 'namespace');
  return { namespace: typeof namespace === 'string' ? namespace : '', name: typeof name === 'string' ? name : '' };
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
