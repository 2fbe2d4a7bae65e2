import { loadBundle } from './bundle.ts';
import type { Catalogue, CatalogueControl } from './catalogue.ts';
import { createInputCheck, storeOf } from './check.ts';
import { controlResult } from './contract.ts';
import type { PolicyInput } from './input.ts';
import type { ControlResult } from './result.ts';
import { startRunner } from './runner.ts';

/** Evaluates controls over one store at a time. Same input and same digest, same answer. */
export interface Engine {
  /**
   * One result per control, sorted by control id. Whatever goes wrong inside is a result with outcome Error.
   *
   * @param controlIds controls to evaluate; all of the catalogue when left out
   * @throws RangeError for a control id that the catalogue does not have
   */
  evaluate(input: PolicyInput, controlIds?: readonly string[]): Promise<ControlResult[]>;
  /** `sha256:…` of the bundle; belongs into every report made from its answers. */
  readonly digest: string;
  readonly catalogue: Catalogue;
  /** Ends the thread. Evaluations under way answer with Error. */
  close(): Promise<void>;
}

export interface EngineOptions {
  /** Folder with policy.wasm, data.json, catalogue.json and SHA256SUMS. */
  bundleDir: string;
  /** Deadline for one control, in milliseconds; 5000 when left out, since a busy machine is no reason for an Error. */
  timeoutMs?: number;
  /** Most memory of the Wasm instance, in pages of 64 KiB; 1024 when left out. */
  pages?: number;
  /** Largest input, in bytes of JSON; 4 MiB when left out, which needs about 900 pages. */
  maxInputBytes?: number;
}

/**
 * Loads a bundle and starts the thread that evaluates it.
 *
 * @throws when the bundle is incomplete, was changed, needs a host builtin, or its catalogue and its entrypoints differ
 */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const { wasm, data, catalogue, digest } = await loadBundle(options.bundleDir);
  const { runner, entrypoints } = await startRunner({ wasm, data, pages: options.pages ?? 1024, timeoutMs: options.timeoutMs ?? 5000 });
  const listed = catalogue.controls.map((control) => control.entrypoint).sort();
  if (JSON.stringify(listed) !== JSON.stringify(entrypoints)) {
    await runner.close();
    throw new Error(`policy bundle ${options.bundleDir}: the entrypoints of policy.wasm are not those of catalogue.json; build the bundle again`);
  }
  const check = createInputCheck(catalogue.inputSchema, options.maxInputBytes ?? 4 * 1024 * 1024);

  return {
    digest,
    catalogue,
    async evaluate(input, controlIds) {
      const controls = selectControls(catalogue, controlIds);
      const store = storeOf(input);
      const checked = check(input);
      if ('error' in checked) return controls.map((control) => controlResult(control, store, checked));
      const answers = await runner.run(checked.text, controls.map((control) => control.entrypoint));
      return controls.map((control, index) => controlResult(control, store, answers[index] ?? { error: 'NO_ANSWER' }));
    },
    close: () => runner.close(),
  };
}

function selectControls(catalogue: Catalogue, ids: readonly string[] | undefined): CatalogueControl[] {
  const wanted = new Set(ids ?? catalogue.controls.map((control) => control.id));
  const controls = catalogue.controls.filter((control) => wanted.delete(control.id));
  const [missing] = wanted;
  if (missing !== undefined) throw new RangeError(`control ${missing}: not in this policy bundle; see its catalogue for the ids`);
  return controls.sort((a, b) => (a.id < b.id ? -1 : 1));
}
