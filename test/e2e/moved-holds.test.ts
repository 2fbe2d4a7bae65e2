import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { getCondition } from '../../src/api/conditions.ts';
import type { DataMap } from '../../src/api/generated/dataMap.ts';
import type { DataStore } from '../../src/api/generated/dataStore.ts';
import type { LegalHold } from '../../src/api/generated/legalHold.ts';
import { DATA_MAP, DATA_STORE, LEGAL_HOLD, MOVED_UIDS_ANNOTATION, ROOT_NAMESPACE, SECRET } from '../../src/api/kinds.ts';
import type { KubeObject } from '../../src/api/object.ts';
import { holdOf, STORE } from '../support/sample-manifests.ts';
import { holdDates } from '../support/sample-store.ts';
import { until } from '../support/until.ts';
import { localStage } from './local-stage.ts';
import type { LocalStage } from './local-stage.ts';
import { approve, requestRun, untilEnded, untilHeld } from './people.ts';
import { nudge } from './standing.ts';

/**
 * Holds are in force, and then what they name is no longer there: the label of the store, the name of the collection,
 * the persons in a Secret; in the end their own objects. A purge of everything else leaves each row they covered as it was.
 */
const MAP = { namespace: 'shop', name: 'sample-web' };
const SUBJECTS = { namespace: 'platform-db', name: 'subjects' };
const dates = holdDates(new Date());
const BETWEEN = `viewed_at >= '${dates.from}' AND viewed_at < '${dates.to}'`;
let stage: LocalStage;
let visitors: string[];
let held: Record<string, { rows: number; sum: string }>;

interface Moved {
  what: string;
  hold: { namespace: string; name: string };
  scope(standard: object): object;
  /** The rows it covers when it comes into force. */
  covers(): string;
  move(): Promise<unknown>;
  /** Its condition AsWritten once the operator has met the change. */
  says: { reason: string; message: RegExp };
}

const MOVED: Moved[] = [
  {
    what: 'a store that loses the label it was selected by',
    hold: { namespace: 'platform-db', name: 'by-label' },
    scope: (standard) => ({ ...standard, stores: { matchLabels: { court: 'yes' } } }),
    covers: () => `client_id = 'client-a' AND ${BETWEEN}`,
    move: () => stage.alice.client.mergePatch<DataStore>(DATA_STORE, STORE, { metadata: { labels: { court: null } } }),
    says: { reason: 'HoldWidened', message: /sample-web\/page-views: what it meant there at another time stands too, until it is released/ },
  },
  {
    what: 'a collection that gets another name',
    hold: { namespace: 'platform-db', name: 'by-name' },
    scope: (standard) => ({ ...standard, clients: { keys: ['client-b'] } }),
    covers: () => `client_id = 'client-b' AND ${BETWEEN}`,
    async move() {
      const map = await stage.alice.client.get<DataMap>(DATA_MAP, MAP);
      const collections = map?.spec.collections.map((each) => (each.name === 'page-views' ? { ...each, name: 'views' } : each));
      await stage.alice.client.mergePatch<DataMap>(DATA_MAP, MAP, { spec: { collections } });
    },
    says: { reason: 'HoldWidened', message: /sample-web\/views: what it meant there at another time stands too, until it is released/ },
  },
  {
    what: 'a Secret that is emptied',
    hold: { namespace: 'platform-db', name: 'by-person' },
    scope: () => ({ stores: { all: {} }, collections: { names: ['page-views', 'views'] }, clients: { keys: ['client-c'] }, subjects: { secretName: SUBJECTS.name } }),
    covers: () => `client_id = 'client-c' AND visitor_id IN (${visitors.map((id) => `'${id}'`).join(', ')})`,
    move: () => stage.alice.client.mergePatch<KubeObject>(SECRET, SUBJECTS, { data: null, stringData: { visitor: '' } }),
    says: { reason: 'SubjectsUnreadable', message: /Secret platform-db\/subjects \(spec\.scope\[\]\.subjects\) is missing, names nobody or was changed, so the whole block is held/ },
  },
];

beforeAll(async () => {
  stage = await localStage({ sessions: 600, hold: false });
  const { store, alice } = stage;
  visitors = (await store.query<{ id: string }>(`SELECT DISTINCT visitor_id AS id FROM page_views WHERE client_id = 'client-c' AND viewed_at < current_date - interval '26 months' ORDER BY id LIMIT 5`)).map(({ id }) => id);
  await alice.client.mergePatch<DataStore>(DATA_STORE, STORE, { metadata: { labels: { court: 'yes' } } });
  await alice.client.create<KubeObject>(SECRET, { apiVersion: 'v1', kind: 'Secret', metadata: SUBJECTS, stringData: { visitor: visitors.join('\n') } } as KubeObject);
  for (const { hold, scope } of MOVED) {
    const declared = holdOf(hold, dates) as unknown as LegalHold;
    const [standard = {}] = declared.spec.scope;
    await alice.client.create<LegalHold>(LEGAL_HOLD, { ...declared, spec: { ...declared.spec, scope: [scope(standard)] } } as LegalHold);
  }
  for (const { hold } of MOVED) expect((await untilHeld(alice.client, hold)).status?.stores).toMatchObject([STORE]);
  held = await coveredRows();
  expect(Math.min(...Object.values(held).map(({ rows }) => rows))).toBeGreaterThan(0);
}, 120_000);
afterAll(() => stage?.cleanup.run());

test.each(MOVED)('$what: the hold stays in force in the store, with what it covered', async ({ hold, move, says }) => {
  const { alice } = stage;
  const items = await itemsOf(hold);
  expect(items.length).toBeGreaterThan(0);
  await move();
  let status: LegalHold['status'];
  await until('the operator has met the change', async () => {
    await nudge(alice, LEGAL_HOLD, hold);
    status = (await alice.client.get<LegalHold>(LEGAL_HOLD, hold))?.status;
    return getCondition(status?.conditions, 'AsWritten')?.status === 'False';
  }, { everyMs: 300, or: () => status });
  expect(getCondition(status?.conditions, 'AsWritten')).toMatchObject({ reason: says.reason, message: expect.stringMatching(says.message) });
  expect(status).toMatchObject({ state: 'Active', stores: [STORE] });
  expect(await itemsOf(hold)).toEqual(expect.arrayContaining(items));
}, 60_000);

test.each(MOVED)('$what, then its object is deleted: the one created for it keeps all that stood in the store, and nothing stays behind', async ({ hold }) => {
  const { alice, store } = stage;
  const before = await alice.client.get<LegalHold>(LEGAL_HOLD, hold);
  const items = await itemsOf(hold);
  await alice.client.delete(LEGAL_HOLD, hold);
  await until('the object is gone', async () => (await alice.client.get<LegalHold>(LEGAL_HOLD, hold)) === undefined, { everyMs: 100 });
  const copy = (await alice.client.list<LegalHold>(LEGAL_HOLD, { namespace: ROOT_NAMESPACE })).find(({ metadata }) => metadata.annotations?.[MOVED_UIDS_ANNOTATION] === before?.metadata.uid);
  expect(copy?.status).toMatchObject({ state: 'Active', stores: [STORE] });
  expect(getCondition(copy?.status?.conditions, 'AsWritten')?.reason).toMatch(/^(HoldWidened|SubjectsUnreadable)$/);
  expect(await itemsOf({ namespace: ROOT_NAMESPACE, name: copy?.metadata.name ?? '' })).toEqual(expect.arrayContaining(items));
  expect(await store.query(`SELECT uid FROM dataward.hold WHERE uid = '${before?.metadata.uid}'`)).toEqual([]);
}, 60_000);

test('then everything due is purged, but for the rows they covered, byte for byte', async () => {
  const { alice, bob, store } = stage;
  const others = `SELECT count(*)::int AS rows FROM page_views WHERE viewed_at < current_date - interval '25 months' AND client_id <> 'client-c' AND NOT (client_id IN ('client-a', 'client-b') AND ${BETWEEN})`;
  const [before] = await store.query<{ rows: number }>(others);
  expect(before?.rows).toBeGreaterThan(100);
  const run = await requestRun(alice);
  await approve(bob, run);
  const ended = await untilEnded(alice, run);
  expect(ended.status).toMatchObject({ state: 'Succeeded', verification: { residual: 0 } });
  expect(await store.query(others)).toEqual([{ rows: 0 }]);
  expect(await coveredRows()).toEqual(held);
}, 90_000);

test('a hold whose client key is mistyped stands in the store, and says by which block it keeps no row', async () => {
  const { alice } = stage;
  const mistyped = { namespace: 'platform-db', name: 'mistyped' };
  const declared = holdOf(mistyped, dates) as unknown as LegalHold;
  const [standard] = declared.spec.scope;
  await alice.client.create<LegalHold>(LEGAL_HOLD, { ...declared, spec: { ...declared.spec, scope: [{ ...standard, collections: { names: ['views'] }, clients: { keys: ['cliemt-a'] } }] } } as LegalHold);
  let status: LegalHold['status'];
  await until('it says so', async () => {
    status = (await alice.client.get<LegalHold>(LEGAL_HOLD, mistyped))?.status;
    return getCondition(status?.conditions, 'AsWritten')?.status === 'False';
  }, { or: () => status });
  expect(status).toMatchObject({ state: 'Active', stores: [{ ...STORE, items: 0, countExact: true, emptyBlocks: [0] }] });
  expect(getCondition(status?.conditions, 'AsWritten')).toMatchObject({ reason: 'NothingHeld', message: expect.stringMatching(/spec\.scope\[0\] \(clients\.keys, between\) matched no row of DataStore platform-db\/sample when they were counted/) });
}, 60_000);

test('a hold of a namespace without a store protects nothing and says so; deleted, it goes at once, and the one created for it waits for a store likewise', async () => {
  const { alice } = stage;
  const idle = { namespace: 'shop', name: 'nowhere' };
  await alice.client.create<LegalHold>(LEGAL_HOLD, holdOf(idle, dates) as unknown as LegalHold);
  const seen = await until('it was looked at', async () => {
    const hold = await alice.client.get<LegalHold>(LEGAL_HOLD, idle);
    return hold?.status?.observedGeneration === undefined ? undefined : hold;
  });
  expect(seen.status).toMatchObject({ state: 'Pending', storesTotal: 0 });
  expect(getCondition(seen.status?.conditions, 'Ready')).toMatchObject({ status: 'False', reason: 'NothingHeld' });
  await alice.client.delete(LEGAL_HOLD, idle);
  await until('the object is gone', async () => (await alice.client.get<LegalHold>(LEGAL_HOLD, idle)) === undefined);
  const copy = (await alice.client.list<LegalHold>(LEGAL_HOLD, { namespace: ROOT_NAMESPACE })).find(({ metadata }) => metadata.annotations?.[MOVED_UIDS_ANNOTATION] === seen.metadata.uid);
  expect(copy?.status).toMatchObject({ state: 'Pending', storesTotal: 0 });
}, 60_000);

async function coveredRows(): Promise<typeof held> {
  const rows = await Promise.all(MOVED.map(async ({ what, covers }) => [what, (await stage.store.query<{ rows: number; sum: string }>(`SELECT count(*)::int AS rows, md5(string_agg(t::text, chr(10) ORDER BY id)) AS sum FROM page_views t WHERE ${covers()}`))[0]] as const));
  return Object.fromEntries(rows) as typeof held;
}

async function itemsOf({ namespace, name }: { namespace: string; name: string }): Promise<string[]> {
  const uid = (await stage.alice.client.get<LegalHold>(LEGAL_HOLD, { namespace, name }))?.metadata.uid ?? '';
  return (await stage.store.query<{ digest: string }>(`SELECT digest FROM dataward.hold_item WHERE uid = '${uid}' ORDER BY digest`)).map(({ digest }) => digest);
}
