import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

const SAMPLE_MS = 50;

/** Samples the resident memory of a process, in megabytes, until it is stopped. */
export function watchMemory(pid: number): { stop(): Promise<number[]> } {
  const stopping = new AbortController();
  const samples: number[] = [];
  const watching = (async () => {
    while (!stopping.signal.aborted) {
      samples.push(await residentMegabytes(pid));
      await delay(SAMPLE_MS);
    }
  })();
  return {
    async stop() {
      stopping.abort();
      await watching;
      return samples;
    },
  };
}

/** Resident memory of a process, threads and code included; shared pages count in full. */
export async function residentMegabytes(pid: number): Promise<number> {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) / 1024;
}
