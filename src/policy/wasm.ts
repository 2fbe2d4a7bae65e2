import { loadPolicy } from '@open-policy-agent/opa-wasm';

/**
 * One compiled bundle inside one Wasm instance, driven through its documented ABI: the input is parsed once and every
 * entrypoint runs on the parsed value, which takes a tenth of the time of one SDK evaluation per entrypoint.
 */
export interface Program {
  /** Names of the entrypoints, sorted. */
  readonly entrypoints: readonly string[];
  /**
   * Evaluates entrypoints in the order given and hands each answer on as soon as it is there. An entrypoint that
   * throws costs itself alone.
   *
   * @param input JSON text, already checked
   */
  run(input: string, entrypoints: readonly string[], emit: (answer: Answer, index: number) => void): Promise<void>;
}

/** The JSON text of the result set, or the message of what was thrown. */
export type Answer = { text: string } | { threw: string };

export interface Limits {
  /** Most memory, in pages of 64 KiB. */
  pages: number;
}

/** Larger modules are refused: compiling is not bounded by any deadline. */
const maxModuleBytes = 16 * 1024 * 1024;
const initialPages = 32;

interface Exports {
  opa_wasm_abi_version: WebAssembly.Global;
  opa_wasm_abi_minor_version: WebAssembly.Global;
  builtins(): number;
  opa_malloc(bytes: number): number;
  opa_json_parse(address: number, bytes: number): number;
  opa_json_dump(address: number): number;
  opa_heap_ptr_get(): number;
  opa_heap_ptr_set(address: number): void;
  opa_eval_ctx_new(): number;
  opa_eval_ctx_set_input(context: number, address: number): void;
  opa_eval_ctx_set_data(context: number, address: number): void;
  opa_eval_ctx_set_entrypoint(context: number, entrypoint: number): void;
  opa_eval_ctx_get_result(context: number): number;
  eval(context: number): number;
}

interface Instance {
  exports: Exports;
  memory: WebAssembly.Memory;
  entrypoints: Record<string, number>;
  data: number;
  /** Start of the heap above the data; everything from here on is thrown away before the next input. */
  heap: number;
}

/**
 * Loads a bundle.
 *
 * @param wasm the compiled policies
 * @param data JSON text of the bundle's data document
 * @throws when the module is too large, speaks another ABI, needs a host builtin, or does not take the data
 */
export async function loadProgram(wasm: Uint8Array<ArrayBuffer>, data: string, limits: Limits): Promise<Program> {
  if (wasm.byteLength > maxModuleBytes) {
    throw new Error(`policy module: ${wasm.byteLength} bytes, at most ${maxModuleBytes} are loaded`);
  }
  const module = new WebAssembly.Module(wasm);
  let instance = await instantiate(module, data, limits);
  const entrypoints = Object.keys(instance.entrypoints).sort();

  return {
    entrypoints,
    async run(input, wanted, emit) {
      let parsed: Parsed | undefined;
      for (const [index, entrypoint] of wanted.entries()) {
        let answer: Answer;
        try {
          parsed ??= parseInput(instance, input);
          answer = { text: evaluate(instance, parsed, entrypoint) };
        } catch (error) {
          answer = { threw: thrownMessage(error) };
          // Each throw leaks C stack inside the module; after some hundreds an instance answers nothing any more.
          instance = await instantiate(module, data, limits);
          parsed = undefined;
        }
        emit(answer, index);
      }
    },
  };
}

async function instantiate(module: WebAssembly.Module, data: string, limits: Limits): Promise<Instance> {
  const policy = await loadPolicy(module, { initial: Math.min(initialPages, limits.pages), maximum: limits.pages });
  const wasmInstance = 'instance' in policy.wasmInstance ? policy.wasmInstance.instance : policy.wasmInstance;
  const exports = wasmInstance.exports as unknown as Exports;
  const major: unknown = exports.opa_wasm_abi_version?.value;
  const minor: unknown = exports.opa_wasm_abi_minor_version?.value;
  if (major !== 1 || typeof minor !== 'number' || minor < 2) {
    throw new Error(`policy module: ABI ${String(major)}.${String(minor)} is not supported; build it with an opa that speaks 1.2 or later`);
  }
  const builtins = Object.keys(JSON.parse(readJson(exports, policy.mem, exports.builtins())) as Record<string, unknown>);
  if (builtins.length > 0) {
    throw new Error(`policy module: needs host builtins (${builtins.sort().join(', ')}); only those compiled into the module are allowed`);
  }
  policy.setData(JSON.parse(data) as object);
  return { exports, memory: policy.mem, entrypoints: policy.entrypoints as Record<string, number>, data: policy.dataAddr, heap: Number(policy.dataHeapPtr) };
}

interface Parsed {
  input: number;
  heap: number;
}

function parseInput({ exports, memory, heap }: Instance, input: string): Parsed {
  exports.opa_heap_ptr_set(heap);
  const bytes = new TextEncoder().encode(input);
  const address = exports.opa_malloc(bytes.byteLength);
  new Uint8Array(memory.buffer).set(bytes, address);
  const parsed = exports.opa_json_parse(address, bytes.byteLength);
  // Zero would leave the input undefined, and rules without a condition on it would still answer.
  if (parsed === 0) throw new Error('the input is not JSON');
  return { input: parsed, heap: exports.opa_heap_ptr_get() };
}

function evaluate({ exports, memory, entrypoints, data }: Instance, parsed: Parsed, entrypoint: string): string {
  const number = Object.hasOwn(entrypoints, entrypoint) ? entrypoints[entrypoint] : undefined;
  if (number === undefined) throw new Error(`the module has no entrypoint ${entrypoint}`);
  exports.opa_heap_ptr_set(parsed.heap);
  const context = exports.opa_eval_ctx_new();
  exports.opa_eval_ctx_set_input(context, parsed.input);
  exports.opa_eval_ctx_set_data(context, data);
  exports.opa_eval_ctx_set_entrypoint(context, number);
  const status = exports.eval(context);
  if (status !== 0) throw new Error(`evaluation ended with status ${status}`);
  return readJson(exports, memory, exports.opa_eval_ctx_get_result(context));
}

function readJson(exports: Exports, memory: WebAssembly.Memory, value: number): string {
  const start = exports.opa_json_dump(value);
  const bytes = new Uint8Array(memory.buffer);
  return new TextDecoder().decode(bytes.subarray(start, bytes.indexOf(0, start)));
}

/** The module throws strings and plain objects as well as errors. */
function thrownMessage(error: unknown): string {
  if (typeof error === 'string') return error;
  if (typeof error === 'object' && error !== null && 'message' in error) return String(error.message);
  return 'something that is not an error was thrown';
}
