import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { RawAnswer } from './contract.ts';
import type { WorkerData, WorkerMessage, WorkerRequest } from './worker.ts';

/** Runs entrypoints in a thread of their own, one request after another, each entrypoint under a deadline. */
export interface Runner {
  /** One answer per entrypoint, in their order. Never rejects. */
  run(input: string, entrypoints: readonly string[]): Promise<RawAnswer[]>;
  close(): Promise<void>;
}

export interface RunnerOptions extends WorkerData {
  /** Longest time one entrypoint may take. */
  timeoutMs: number;
}

/** A thread that does not come up within this time is not coming up: it compiles a module of some hundred KiB. */
const startMs = 30_000;
/** Each lost thread costs a deadline and a start; a request that loses this many is not worth more. */
const maxLostThreads = 3;

/**
 * Starts the thread.
 *
 * @returns the runner and the entrypoints the module has
 * @throws when the module is refused
 */
export async function startRunner(options: RunnerOptions): Promise<{ runner: Runner; entrypoints: readonly string[] }> {
  const first = await startThread(options);
  let thread: Thread | undefined = first;
  let closed = false;
  let sequence = 0;
  let queue: Promise<unknown> = Promise.resolve();

  async function work(input: string, entrypoints: readonly string[]): Promise<RawAnswer[]> {
    const answers: RawAnswer[] = [];
    for (let lost = 0; answers.length < entrypoints.length; lost += 1) {
      if (closed) return fill(answers, entrypoints.length, { error: 'CLOSED' });
      if (lost === maxLostThreads) return fill(answers, entrypoints.length, { error: 'TIMEOUT', detail: 'not tried, because those before it did not answer either' });
      try {
        if (thread === undefined || thread.ended()) thread = await startThread(options);
      } catch {
        return fill(answers, entrypoints.length, { error: 'WORKER_DIED', detail: 'it could not be started again' });
      }
      sequence += 1;
      const rest = { sequence, input, entrypoints: entrypoints.slice(answers.length) };
      const loss = await exchange(thread.worker, rest, options.timeoutMs, (answer) => answers.push(answer));
      if (loss === undefined) break;
      const { worker } = thread;
      thread = undefined;
      await worker.terminate();
      answers.push(closed ? { error: 'CLOSED' } : loss);
    }
    return answers;
  }

  return {
    entrypoints: first.entrypoints,
    runner: {
      run(input, entrypoints) {
        const done = queue.then(() => work(input, entrypoints));
        queue = done;
        return done;
      },
      async close() {
        closed = true;
        await thread?.worker.terminate();
        await queue;
        // One more, should it have been on its way up just now.
        await thread?.worker.terminate();
      },
    },
  };
}

function fill(answers: RawAnswer[], length: number, answer: RawAnswer): RawAnswer[] {
  return [...answers, ...Array.from({ length: length - answers.length }, () => answer)];
}

interface Thread {
  worker: Worker;
  entrypoints: readonly string[];
  ended(): boolean;
}

async function startThread({ wasm, data, pages }: RunnerOptions): Promise<Thread> {
  const { start, evaluated } = workerModule(import.meta.url);
  const workerData: WorkerData = { wasm, data, pages };
  const worker = new Worker(start, { workerData, eval: evaluated, execArgv: [], env: {}, name: 'dataward-policy' });
  let ended = false;
  worker.once('exit', () => (ended = true));
  // An error of an idle thread is followed by its exit; without a listener it would end the whole process.
  worker.on('error', () => undefined);
  try {
    const entrypoints = await ready(worker);
    // An idle engine must not keep a finished command alive.
    worker.unref();
    return { worker, entrypoints, ended: () => ended };
  } catch (error) {
    await worker.terminate();
    throw error;
  }
}

/** Waits for the first message of a thread: the entrypoints it has, or why it refuses the module. */
function ready(worker: Worker): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    const settle = (outcome: readonly string[] | Error): void => {
      clearTimeout(timer);
      worker.off('message', onMessage).off('error', settle).off('exit', onExit);
      if (outcome instanceof Error) reject(outcome);
      else resolve(outcome);
    };
    const onMessage = (message: WorkerMessage): void => {
      if ('ready' in message) settle(message.ready);
      else settle(new Error('refused' in message ? message.refused : 'policy worker: unexpected first message'));
    };
    const onExit = (code: number): void => settle(new Error(`policy worker: ended with code ${code} before it was ready`));
    const timer = setTimeout(() => settle(new Error('policy worker: not ready in time')), startMs);
    worker.on('message', onMessage).on('error', settle).on('exit', onExit);
  });
}

/**
 * The worker module beside this one. Compiled code runs as it is; from TypeScript sources, which is how tests and
 * development run, a line of JavaScript first registers tsx in the thread, where loaders of the main thread do not reach.
 */
function workerModule(here: string): { start: URL | string; evaluated: boolean } {
  if (!here.endsWith('.ts')) return { start: new URL('./worker.js', here), evaluated: false };
  // The CommonJS half, which require resolves, looks for its hooks in a folder that is not there.
  const loader = pathToFileURL(createRequire(here).resolve('tsx/esm/api').replace(/\.cjs$/, '.mjs')).href;
  const module = new URL('./worker.ts', here).href;
  return { start: `import('${loader}').then(({ register }) => { register(); return import('${module}'); });`, evaluated: true };
}

/** Sends one request and collects its answers; resolves with what went wrong for the first one that did not come. */
function exchange(worker: Worker, request: WorkerRequest, timeoutMs: number, collect: (answer: RawAnswer) => void): Promise<RawAnswer | undefined> {
  return new Promise((resolve) => {
    let received = 0;
    const settle = (loss: RawAnswer | undefined): void => {
      clearTimeout(timer);
      worker.off('message', onMessage).off('error', onError).off('exit', onExit);
      worker.unref();
      resolve(loss);
    };
    const onMessage = (message: WorkerMessage): void => {
      if (!('sequence' in message) || message.sequence !== request.sequence) return;
      received += 1;
      collect('text' in message.answer ? message.answer : { error: 'THREW', detail: message.answer.threw });
      if (received === request.entrypoints.length) settle(undefined);
      else timer.refresh();
    };
    const onError = (error: Error): void => settle({ error: 'WORKER_DIED', detail: error.message });
    const onExit = (): void => settle({ error: 'WORKER_DIED' });
    const onDeadline = (): void => {
      // After this thread was busy itself, its timers run before the answers that are already waiting: look once more.
      const before = received;
      setImmediate(() => setImmediate(() => (received === before ? settle({ error: 'TIMEOUT' }) : undefined)));
    };
    const timer = setTimeout(onDeadline, timeoutMs);
    worker.on('message', onMessage).on('error', onError).on('exit', onExit);
    worker.ref();
    worker.postMessage(request);
  });
}
