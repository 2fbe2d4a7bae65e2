import { expect } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { PurgeRun } from '../../src/api/generated/purgeRun.ts';
import { PURGE_RUN } from '../../src/api/kinds.ts';
import type { KindRef, ObjectRef } from '../../src/api/object.ts';
import { until } from '../support/until.ts';
import { FINAL_STATES, refOf } from './people.ts';
import type { Person } from './people.ts';

/** Nobody waits half a minute for the next look of its own accord: a changed annotation makes the operator look now. */
export async function nudge({ client }: Person, kind: KindRef, ref: ObjectRef): Promise<void> {
  await client.mergePatch(kind, ref, { metadata: { annotations: { 'test.example/look': randomUUID() } } });
}

/**
 * A run that has not ended stands still and says why, in words that match `why`, and not `not`: what it said before.
 * It is made to look until it does.
 *
 * @throws when it ends instead, or says something else for 15 s
 */
export async function untilStanding(person: Person, run: PurgeRun, why: RegExp, not?: RegExp): Promise<PurgeRun['status']> {
  let status: PurgeRun['status'];
  await until(
    `the run says ${why.source}`,
    async () => {
      status = (await person.client.get<PurgeRun>(PURGE_RUN, refOf(run)))?.status;
      expect(FINAL_STATES).not.toContain(status?.state);
      const said = status?.why ?? '';
      if (why.test(said) && !not?.test(said)) return true;
      await nudge(person, PURGE_RUN, refOf(run));
      return false;
    },
    { everyMs: 300, timeoutMs: 15_000, or: () => status },
  );
  return status;
}
