/**
 * The part of the WebAssembly API that is used here. TypeScript has it only in the DOM library, and Node's types leave
 * it out; the DOM library would put window and document into every file.
 */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array<ArrayBuffer>);
  }
  interface Instance {
    readonly exports: Record<string, unknown>;
  }
  interface WebAssemblyInstantiatedSource {
    readonly instance: Instance;
    readonly module: Module;
  }
  interface Memory {
    readonly buffer: ArrayBuffer;
  }
  interface MemoryDescriptor {
    initial: number;
    maximum?: number;
  }
  interface Global {
    readonly value: unknown;
  }
}
