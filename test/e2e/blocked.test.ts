import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ComplianceProfile } from '../../src/api/generated/complianceProfile.ts';
import type { DataStore } from '../../src/api/generated/dataStore.ts';
import { COMPLIANCE_PROFILE, DATA_STORE } from '../../src/api/kinds.ts';
import { STORE } from '../support/sample-manifests.ts';
import { until } from '../support/until.ts';
import { localStage } from './local-stage.ts';
import type { LocalStage } from './local-stage.ts';
import { approve, requestRun, untilState } from './people.ts';

/** Sessions whose page views are held stay after a complete purge. They are no violation and no secret. */
const PROFILE = { namespace: 'dataward-system', name: 'default' };
/** The clause that rests on RETAIN-02 alone. */
const ERASURE = '17(1)(a)';
let stage: LocalStage;

beforeAll(async () => {
  stage = await localStage({ sessions: 300 });
}, 120_000);
afterAll(() => stage?.cleanup.run());

const retention = async (): Promise<NonNullable<DataStore['status']>['retention']> => (await stage.alice.client.get<DataStore>(DATA_STORE, STORE))?.status?.retention;
const erasure = async (): Promise<string | undefined> => (await stage.alice.client.get<ComplianceProfile>(COMPLIANCE_PROFILE, PROFILE))?.status?.clauses?.find(({ id }) => id === ERASURE)?.state;
const pastTheirTime = async (table: string, column: string): Promise<number> => Number((await stage.store.query<{ n: string }>(`SELECT count(*) AS n FROM ${table} WHERE ${column} < current_date - interval '25 months'`))[0]?.n);

test('what can go is due and the clause broken; after the run nothing is due, the kept rows are counted with their reason, and it is kept', async () => {
  const due = await stage.store.due();
  const blocked = (await pastTheirTime('sessions', 'started_at')) - due.sessions;
  expect(Math.min(blocked, due.sessions)).toBeGreaterThan(0);
  expect(await until('the rows are counted under the policy', async () => {
    const counted = await retention();
    return (counted?.due ?? 0) > 0 ? counted : undefined;
  })).toMatchObject({ due: due.page_views + due.sessions, blockedByReference: blocked, blockedForever: 0 });
  await until('the clause is broken', async () => (await erasure()) === 'Broken');

  const run = await requestRun(stage.alice);
  const forecast = run.spec.forecast?.steps.find(({ collection }) => collection.endsWith('/sessions'));
  expect(forecast).toMatchObject({ due: due.sessions, blocked });
  await approve(stage.bob, run);
  await untilState(stage.alice, run, ['Succeeded']);

  const after = await until('the rows are counted anew', async () => {
    const counted = await retention();
    return counted?.due === 0 ? counted : undefined;
  });
  expect(after).toMatchObject({ due: 0, held: await pastTheirTime('page_views', 'viewed_at'), blockedByReference: blocked, blockedForever: 0 });
  expect(after?.oldestDue).toBeUndefined();
  expect(after?.worst?.find(({ collection }) => collection.endsWith('/sessions'))).toMatchObject({ due: 0, blockedByReference: blocked, why: 'rows that refer to some of its rows are not due or are kept, and they keep these' });
  await until('the gauge says so too', async () => new RegExp(`^dataward_retention_rows\\{.*state="blocked".*\\} ${blocked}$`, 'm').test(await stage.operator.metrics()));
  await until('the clause is kept', async () => (await erasure()) === 'Kept', { timeoutMs: 90_000 });
}, 240_000);
