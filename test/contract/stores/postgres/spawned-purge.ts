import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { bundled } from '../../../support/bundled.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import type { Claim } from '../../../../src/stores/fence.ts';
import type { PurgePlan, PurgeRequest } from '../../../../src/stores/purging.ts';
import type { PurgeProcess } from './purge-process.ts';
import { pace } from './purge-support.ts';
import type { TestStore } from './purge-support.ts';
import { targetOf } from './support.ts';

export interface SpawnedPurge {
  child: ChildProcess;
  /** What it has said when it is over. */
  said: Promise<string>;
}

/** Purges in processes of their own, to be killed or stopped at any point. */
export function spawnedPurges(server: () => TestPostgres): {
  /** Resolves when it is about to begin. */
  startPurge(store: TestStore, plan: PurgePlan, claim: Claim, asked: PurgeRequest, changes?: Partial<PurgeProcess['pace']>): Promise<SpawnedPurge>;
  killAll(): void;
} {
  const children = new Set<ChildProcess>();
  let program: Promise<string> | undefined;
  return {
    killAll: () => {
      for (const child of children) child.kill('SIGKILL');
    },
    startPurge: async (store, plan, claim, asked, changes = {}) => {
      const argument: PurgeProcess = {
        target: targetOf(server(), { database: store.database }),
        credential: { type: 'password', username: store.enforce.user, password: store.enforce.password },
        claim,
        steps: plan.steps,
        request: asked,
        pace: { ...pace, maxBatchMillis: 1, ...changes },
      };
      program ??= bundled(new URL('purge-process.ts', import.meta.url));
      const child = spawn(process.execPath, [await program, JSON.stringify(argument)], { stdio: ['ignore', 'pipe', 'inherit'] });
      children.add(child);
      let output = '';
      child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
      const said = once(child, 'close').then(() => {
        children.delete(child);
        return output;
      });
      while (!output.includes('go\n') && child.exitCode === null) await delay(2);
      return { child, said };
    },
  };
}

/** Resolves when the run's journal has grown, or the process has ended without. */
export async function grown(store: TestStore, child: ChildProcess): Promise<void> {
  const length = async (): Promise<number> => Number((await store.sql<{ n: number }>('SELECT count(*)::int AS n FROM dataward.journal'))[0]?.n ?? 0);
  const before = await length();
  while (child.exitCode === null && (await length()) === before) await delay(5);
}
