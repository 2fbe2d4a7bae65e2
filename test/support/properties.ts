import fc from 'fast-check';

/**
 * fast-check with the seed and the size of this run.
 *
 * A change is judged with one fixed seed, so that it passes or fails by what it changed and not by luck. `make
 * fuzz` looks for new counterexamples with seeds of its own (PROPERTY_SEED=random) and more cases (PROPERTY_RUNS,
 * a factor); what it finds becomes a sentence in the table of that test.
 */
const seed = process.env.PROPERTY_SEED ?? '20260525';
const factor = Number(process.env.PROPERTY_RUNS ?? '1');

fc.configureGlobal({ ...(seed === 'random' ? {} : { seed: Number(seed) }), numRuns: runs(100) });

/** How many cases a property gets that usually gets `usual`. */
export function runs(usual: number): number {
  return Math.ceil(usual * factor);
}

export { fc };
