import { afterEach, expect, test } from '@jest/globals';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { getCondition } from '../../src/api/conditions.ts';
import { PURGE_RUN } from '../../src/api/kinds.ts';
import { until } from '../support/until.ts';
import { localStage, midway } from './local-stage.ts';
import type { LocalStage } from './local-stage.ts';
import { approve, refOf, requestRun, untilEnded } from './people.ts';
import { nudge } from './standing.ts';

let stage: LocalStage | undefined;
afterEach(() => stage?.cleanup.run());

/** What builds a table anew in place of another: the rows are copied, and the old table stays beside it for a while. */
const swap = (round: number): string => `BEGIN;
  ALTER TABLE page_views RENAME TO page_views_${round}; CREATE TABLE page_views (LIKE page_views_${round} INCLUDING ALL); INSERT INTO page_views SELECT * FROM page_views_${round};
  ALTER TABLE page_views_${round} DROP CONSTRAINT page_views_session_id_fkey; ALTER TABLE page_views ADD CONSTRAINT page_views_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions;
  GRANT SELECT ON page_views TO dataward_observe, dataward_verify; GRANT SELECT, DELETE ON page_views TO dataward_enforce; COMMIT`;

test('a table that another takes the name of ends the run, before it is approved and while it is at work; nothing is deleted from the new one, and it is planned by itself', async () => {
  stage = await localStage({ sessions: 1_500, slowBatchMillis: 60, hold: false });
  const { store, operator, alice, bob } = stage;
  const rows = async (table: string): Promise<number> => (await store.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`))[0]?.n ?? 0;

  const planned = await requestRun(alice);
  const [{ oid } = { oid: '' }] = await store.query<{ oid: string }>(`SELECT 'page_views'::regclass::oid::text AS oid`);
  expect(planned.spec.plan.tables).toContainEqual(expect.objectContaining({ schema: 'public', name: 'page_views', oid }));
  const before = await rows('page_views');
  await store.query(swap(1));
  await approve(bob, planned);
  const superseded = await untilEnded(alice, planned, 60_000);
  expect(superseded.status).toMatchObject({ state: 'Superseded', why: expect.stringMatching(/^public\.page_views is another table than the one the plan was made on/) });
  expect([await rows('page_views'), await rows('page_views_1')]).toEqual([before, before]);

  const run = await midway(stage);
  await store.query(swap(2));
  const [left, fresh] = [await rows('page_views_2'), await rows('page_views')];
  expect(fresh).toBe(left);
  expect(left).toBeLessThan(before);
  const ended = await untilEnded(alice, run, 60_000);
  expect(ended.status).toMatchObject({ state: 'Failed', progress: { deleted: before - left }, why: expect.stringMatching(/public\.page_views is another table .*; what was deleted before is in the audit log/) });
  expect(getCondition(ended.status?.conditions, 'Failed')).toMatchObject({ status: 'True', reason: 'TableReplaced' });
  expect(ended.status?.certificate).toBeUndefined();
  expect([await rows('page_views_2'), await rows('page_views')]).toEqual([left, fresh]);

  const again = await requestRun(alice);
  await store.hurry();
  await approve(bob, again);
  expect((await untilEnded(alice, again, 60_000)).status).toMatchObject({ state: 'Succeeded', verification: { residual: 0 } });
  expect(await rows('page_views_2')).toBe(left);
  expect(await readdir(path.join(operator.evidence, 'certificates'))).toHaveLength(1);
}, 180_000);

test('a part with due rows that somebody takes out of its table while a run is at work leaves the run without a certificate, and says which', async () => {
  stage = await localStage({ sessions: 800, slowBatchMillis: 60, hold: false });
  const { store, operator, alice } = stage;
  await store.query('CREATE TABLE page_views_more () INHERITS (page_views); INSERT INTO page_views_more SELECT (p).* FROM (SELECT p FROM page_views p ORDER BY viewed_at LIMIT 40) old; UPDATE page_views_more SET id = -id');
  const run = await midway(stage);
  expect(run.spec.forecast.steps.map(({ parts }) => parts).filter((parts) => parts !== undefined)).toEqual([expect.stringMatching(/^[0-9]+$/)]);
  await store.query('ALTER TABLE page_views_more NO INHERIT page_views');
  await store.hurry();
  await until('the run has ended', async () => {
    await nudge(alice, PURGE_RUN, refOf(run));
    return (await alice.client.get<typeof run>(PURGE_RUN, refOf(run)))?.status?.state === 'Failed';
  }, { timeoutMs: 60_000, everyMs: 500 });
  const ended = await untilEnded(alice, run);
  expect(ended.status).toMatchObject({ state: 'Failed', verification: { residual: 40 }, why: expect.stringMatching(/^public\.page_views_more was a part of its table when the plan was made and was taken out of it since, and 40 due rows are in it/) });
  expect(getCondition(ended.status?.conditions, 'Failed')).toMatchObject({ status: 'True', reason: 'PartRemoved' });
  expect(await store.query('SELECT count(*)::int AS n FROM page_views_more')).toEqual([{ n: 40 }]);
  expect(await readdir(path.join(operator.evidence, 'certificates'))).toEqual([]);
}, 120_000);
