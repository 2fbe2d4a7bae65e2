import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ComplianceProfile } from '../../src/api/generated/complianceProfile.ts';
import type { DataMap } from '../../src/api/generated/dataMap.ts';
import type { DataStore } from '../../src/api/generated/dataStore.ts';
import { COMPLIANCE_PROFILE, DATA_MAP, DATA_STORE } from '../../src/api/kinds.ts';
import { STORE } from '../support/sample-manifests.ts';
import { until } from '../support/until.ts';
import { localStage } from './local-stage.ts';
import type { LocalStage } from './local-stage.ts';
import { approve, requestRun, untilState } from './people.ts';

/**
 * Sessions whose page views are held stay after a complete purge, and so do those that new notes mean, although only the
 * map knows that link. They are no violation and no secret.
 */
const PROFILE = { namespace: 'dataward-system', name: 'default' };
/** The clause that rests on RETAIN-02 alone. */
const ERASURE = '17(1)(a)';
const MAP = { namespace: 'shop', name: 'sample-web' };
const NOTED = 5;
let stage: LocalStage;

beforeAll(async () => {
  stage = await localStage({ sessions: 300 });
  const { alice, store } = stage;
  await store.query(`
    CREATE TABLE notes (id bigserial PRIMARY KEY, session_id bigint, written_at timestamptz); CREATE INDEX ON notes (session_id);
    INSERT INTO notes (session_id, written_at) SELECT id, current_timestamp - interval '1 month' FROM sessions WHERE client_id <> 'client-a' ORDER BY started_at LIMIT ${NOTED}`);
  const map = await alice.client.get<DataMap>(DATA_MAP, MAP);
  const notes: DataMap['spec']['collections'][number] = {
    name: 'notes',
    table: { schema: 'public', name: 'notes' },
    categories: ['user.behavior'],
    client: { value: 'client-b' },
    times: [{ event: 'Created', field: 'written_at', type: 'TimestampTZ' }],
    references: [{ field: 'session_id', to: 'sessions', toField: 'id' }],
  };
  // A store that is declared otherwise is read anew; its tables are otherwise known for a quarter of an hour.
  await alice.client.mergePatch<DataStore>(DATA_STORE, STORE, { spec: { observation: { inventorySeconds: 600 } } });
  await alice.client.mergePatch<DataMap>(DATA_MAP, MAP, { spec: { collections: [...(map?.spec.collections ?? []), notes] } });
  await until('the notes are described', async () => (await alice.client.get<DataStore>(DATA_STORE, STORE))?.status?.coverage?.mapped === 4);
}, 120_000);
afterAll(() => stage?.cleanup.run());

const retention = async (): Promise<NonNullable<DataStore['status']>['retention']> => (await stage.alice.client.get<DataStore>(DATA_STORE, STORE))?.status?.retention;
const erasure = async (): Promise<string | undefined> => (await stage.alice.client.get<ComplianceProfile>(COMPLIANCE_PROFILE, PROFILE))?.status?.clauses?.find(({ id }) => id === ERASURE)?.state;
const pastTheirTime = async (table: string, column: string): Promise<number> => Number((await stage.store.query<{ n: string }>(`SELECT count(*) AS n FROM ${table} WHERE ${column} < current_date - interval '25 months'`))[0]?.n);

test('what can go is due and the clause broken; after the run nothing is due, the kept rows are counted with their reason, and it is kept', async () => {
  const unlinked = await stage.store.due();
  const due = { ...unlinked, sessions: unlinked.sessions - NOTED };
  const blocked = (await pastTheirTime('sessions', 'started_at')) - due.sessions;
  expect(Math.min(blocked, due.sessions)).toBeGreaterThan(0);
  expect(await until('the rows are counted under the policy', async () => {
    const counted = await retention();
    return counted?.due === due.page_views + due.sessions ? counted : undefined;
  })).toMatchObject({ blockedByReference: blocked, blockedForever: 0 });
  await until('the clause is broken', async () => (await erasure()) === 'Broken');

  const run = await requestRun(stage.alice);
  const forecast = run.spec.forecast?.steps.find(({ collection }) => collection.endsWith('/sessions'));
  expect(forecast).toMatchObject({ due: due.sessions, blocked });
  await approve(stage.bob, run);
  await untilState(stage.alice, run, ['Succeeded']);
  expect(Number((await stage.store.query<{ n: string }>('SELECT count(*) AS n FROM notes JOIN sessions s ON s.id = session_id'))[0]?.n)).toBe(NOTED);

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
