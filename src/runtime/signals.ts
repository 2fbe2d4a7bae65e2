import { setMaxListeners } from 'node:events';

/**
 * Tells Node that many may listen to this signal. One stop signal ends all caches, controllers and requests of a process,
 * and Node takes more than ten listeners for a leak and prints a warning.
 */
export function allowManyListeners(signal: AbortSignal): void {
  setMaxListeners(0, signal);
}
