import { expect, test } from '@jest/globals';
import { recount } from '../../../../src/retention/run/recount.ts';
import type { StoreReader } from '../../../../src/stores/port.ts';
import type { PurgeRequest } from '../../../../src/stores/purging.ts';
import { aForecast, VIEWS } from '../../../support/scripted-store.ts';
import { aPlan, aRun } from './declared-run.ts';

test('a count after the deletion asks for the parts that each planned collection had, and takes those that matter for rows that are left', async () => {
  const run = aRun({ forecast: { at: aPlan().asOf, steps: [{ ...aForecast(400), parts: '16411 16414' }, aForecast(5, { collection: 'platform-db/web/clicks' })] } });
  const asked: PurgeRequest[] = [];
  const removed = [0, 7, 0].map((due, index) => ({ table: { schema: 'public', name: `views_${index}` }, due, exact: index < 2 }));
  const reader: Partial<StoreReader> = {
    async planPurge(request) {
      asked.push(request);
      return { steps: [], refusals: [], forecast: [aForecast(3, { removed })], walMegabytes: 0 };
    },
  };
  const left = await recount(run, { rules: [], targets: [VIEWS], nonPersonal: [], now: aPlan().asOf, budgetMs: 0, pinned: aPlan().tables }, reader as StoreReader);
  expect(asked).toMatchObject([{ parts: [{ collection: VIEWS, oids: ['16411', '16414'] }], pinned: aPlan().tables }]);
  expect(left).toMatchObject({ residual: 10, exact: true, removed: removed.slice(1) });
});

test('a planned collection that cannot be counted is no result but an error, with what the store said of it', async () => {
  const reader: Partial<StoreReader> = {
    planPurge: async () => ({ steps: [], refusals: [{ reason: 'NotCounted', collection: VIEWS, message: 'verify lacks a privilege', cause: 'PermissionDenied' }], forecast: [], walMegabytes: 0 }),
  };
  await expect(recount(aRun(), { rules: [], targets: [VIEWS], nonPersonal: [], now: aPlan().asOf, budgetMs: 0 }, reader as StoreReader)).rejects.toMatchObject({ reason: 'PermissionDenied', message: `${VIEWS}: verify lacks a privilege` });
});
