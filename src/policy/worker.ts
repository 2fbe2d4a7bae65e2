import { parentPort, workerData } from 'node:worker_threads';
import type { Answer } from './wasm.ts';
import { loadProgram } from './wasm.ts';

/**
 * The thread policies run in. It holds one program and nothing else: no clock is asked, no network, no file, and the
 * thread that started it may end it at any moment.
 */

export interface WorkerData {
  wasm: Uint8Array<ArrayBuffer>;
  data: string;
  pages: number;
}

export interface WorkerRequest {
  /** Tells answers to this request from late ones to another. */
  sequence: number;
  input: string;
  entrypoints: readonly string[];
}

export type WorkerMessage =
  | { ready: readonly string[] }
  | { refused: string }
  | { sequence: number; index: number; answer: Answer };

const port = parentPort;
if (port === null) throw new Error('this module is the policy worker thread; start it through the engine');
const send = (message: WorkerMessage): void => port.postMessage(message);
const { wasm, data, pages } = workerData as WorkerData;

try {
  const program = await loadProgram(wasm, data, { pages });
  port.on('message', ({ sequence, input, entrypoints }: WorkerRequest) => {
    void program.run(input, entrypoints, (answer, index) => send({ sequence, index, answer }));
  });
  send({ ready: program.entrypoints });
} catch (error) {
  send({ refused: error instanceof Error ? error.message : String(error) });
}
