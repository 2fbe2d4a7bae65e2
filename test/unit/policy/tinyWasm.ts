/**
 * A Wasm module made by hand that speaks the policy ABI and misbehaves on demand: no compiler of policies is needed to
 * see what the engine does with a rule that loops or traps. Its numbers are those of the WebAssembly binary format.
 */
export interface TinyModule {
  minorVersion?: number;
  /** JSON text that the module reports as its host builtins. */
  builtins?: string;
  /** What each entrypoint does: the JSON text it answers, or how it goes wrong. */
  entrypoints: Record<string, string | typeof loops | typeof traps>;
}

export const loops = Symbol('loops');
export const traps = Symbol('traps');

const i32 = 0x7f;
const end = 0x0b;
const textAt = 4096;
const heapAt = 32_768;

export function tinyWasm({ minorVersion = 2, builtins = '{}', entrypoints }: TinyModule): Uint8Array<ArrayBuffer> {
  const names = Object.keys(entrypoints);
  const texts: string[] = [builtins, JSON.stringify(Object.fromEntries(names.map((name, index) => [name, index])))];
  const answers = names.map((name) => entrypoints[name] ?? '');
  texts.push(...answers.map((answer) => (typeof answer === 'string' ? answer : '')));
  const offsets: number[] = [];
  let size = 0;
  for (const text of texts) {
    offsets.push(textAt + size);
    size += text.length + 1;
  }
  const at = (index: number): number => offsets[index] ?? 0;

  // One branch per entrypoint, taken when global 2 holds its number.
  const evaluation = answers.flatMap((answer, index) => [
    0x23, 2, 0x41, ...signed(index), 0x46, 0x04, 0x40,
    ...(answer === loops ? [0x03, 0x40, 0x0c, 0, end] : answer === traps ? [0x00] : [0x41, ...signed(at(index + 2)), 0x24, 3]),
    end,
  ]);
  const constant = (value: number): number[] => [0x41, ...signed(value)];
  // Name, parameters, body; each with one result unless the body is null.
  const functions: [string, number, number[] | null][] = [
    ['builtins', 0, constant(at(0))],
    ['entrypoints', 0, constant(at(1))],
    ['opa_malloc', 1, constant(heapAt)],
    ['opa_json_parse', 2, constant(1)],
    ['opa_json_dump', 1, [0x20, 0]],
    ['opa_heap_ptr_get', 0, constant(heapAt)],
    ['opa_heap_ptr_set', 1, null],
    ['opa_eval_ctx_new', 0, constant(1)],
    ['opa_eval_ctx_set_input', 2, null],
    ['opa_eval_ctx_set_data', 2, null],
    ['opa_eval_ctx_get_result', 1, [0x23, 3]],
    ['eval', 1, [...evaluation, ...constant(0)]],
    ['opa_eval_ctx_set_entrypoint', 2, null],
  ];
  const globals = [1, minorVersion, 0, 0];
  const types = functions.map(([, parameters, body]) => [0x60, ...vector(Array.from({ length: parameters }, () => [i32])), ...vector(body === null ? [] : [[i32]])]);
  const bodies = functions.map(([name, , body]) => {
    const code = [0, ...(name === 'opa_eval_ctx_set_entrypoint' ? [0x20, 1, 0x24, 2] : (body ?? [])), end];
    return [...unsigned(code.length), ...code];
  });
  const exported = [
    ...functions.map(([name], index) => [...string(name), 0, index]),
    [...string('opa_wasm_abi_version'), 3, 0],
    [...string('opa_wasm_abi_minor_version'), 3, 1],
  ];
  const bytes = [...new TextEncoder().encode(texts.map((text) => `${text}\0`).join(''))];
  return new Uint8Array([
    0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, vector(types)),
    ...section(2, vector([[...string('env'), ...string('memory'), 2, 0, 1]])),
    ...section(3, vector(functions.map((_, index) => [index]))),
    ...section(6, vector(globals.map((value) => [i32, 1, 0x41, ...signed(value), end]))),
    ...section(7, vector(exported)),
    ...section(10, vector(bodies)),
    ...section(11, vector([[0, 0x41, ...signed(textAt), end, ...unsigned(bytes.length), ...bytes]])),
  ]);
}

function section(id: number, content: number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}

function vector(items: number[][]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function string(text: string): number[] {
  return [...unsigned(text.length), ...new TextEncoder().encode(text)];
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)];
}

function signed(value: number): number[] {
  return value < 64 ? [value] : [(value & 127) | 128, ...signed(value >> 7)];
}
