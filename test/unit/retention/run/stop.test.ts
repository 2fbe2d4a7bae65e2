import { describe, expect, test } from '@jest/globals';
import { CONFIG_MAP, DATA_STORE, LEGAL_HOLD, PURGE_RUN, RETENTION_POLICY } from '../../../../src/api/kinds.ts';
import type { KubeObject } from '../../../../src/api/object.ts';
import { watchForStop, type Stop, type StopContext } from '../../../../src/retention/run/stop.ts';
import type { Declarations } from '../../../../src/rules/store-rules.ts';
import { aHold, aMap, aMinimum, aPolicy, aPurge, aStore } from '../../../support/declared.ts';
import { apiError, memoryClient, type MemoryClient } from '../../../support/memory-client.ts';
import { aRun } from './declared-run.ts';

const run = aRun();
const policy = aPolicy('general', { purge: aPurge() });
const freeze = (namespace: string): KubeObject => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'dataward-freeze', namespace }, data: { by: 'alice', reason: 'incident 7' } }) as KubeObject;

const labelled = aStore({}, { labels: { tier: 'gold' } });
const gold = aHold([{ stores: { matchLabels: { tier: 'gold' } } }], {}, {}, { observedGeneration: 1, state: 'Active', stores: [] });

interface Stage {
  client: MemoryClient;
  declared: Declarations;
  context: StopContext;
  leaving: AbortController;
  clock: { now: number };
}

/** Begins to watch a run at work, then changes something, then asks. */
async function askAfter(change: (stage: Stage) => void): Promise<Stop | undefined> {
  const client = memoryClient([[PURGE_RUN, run], [RETENTION_POLICY, policy], [DATA_STORE, aStore()]]);
  const declared: Declarations = { maps: [aMap([{}]), aMap([{}], {}, { namespace: 'web', uid: 'uid-theirs' })], policies: [policy], holds: [], namespaces: new Map([['platform-db', {}]]), rootNamespace: 'dataward-system' };
  const leaving = new AbortController();
  const clock = { now: 1_000 };
  const context: StopContext = { client, decidedOn: structuredClone(declared), declarations: { read: async () => structuredClone(declared) }, rootNamespace: 'dataward-system', frozen: false, leaving: leaving.signal, endsAt: 60_000, now: () => clock.now };
  const ask = watchForStop(run, aStore(), policy, context);
  change({ client, declared, context, leaving, clock });
  return ask();
}

const putPolicy = (spec: object, metadata: object): ((stage: Stage) => void) => (stage) => stage.client.put(RETENTION_POLICY, { ...policy, spec: { ...policy.spec, ...spec }, metadata: { ...policy.metadata, ...metadata } } as KubeObject);
const putRun = (metadata: object): ((stage: Stage) => void) => (stage) => stage.client.put(PURGE_RUN, { ...run, metadata: { ...run.metadata, ...metadata } });

test('what changed since the run was decided, and the cache has already, ends the stretch before its first batch', async () => {
  const client = memoryClient([[PURGE_RUN, run], [RETENTION_POLICY, policy], [DATA_STORE, aStore()]]);
  const decidedOn: Declarations = { maps: [aMap([{}])], policies: [policy], holds: [], namespaces: new Map([['platform-db', {}]]), rootNamespace: 'dataward-system' };
  const minimum = aPolicy('statute', { minimum: aMinimum('P8Y') });
  const ask = watchForStop(run, aStore(), policy, { client, decidedOn, declarations: { read: async () => ({ ...decidedOn, policies: [policy, minimum] }) }, rootNamespace: 'dataward-system', frozen: false, leaving: new AbortController().signal, endsAt: 60_000, now: () => 1_000 });
  expect(await ask()).toMatchObject({ reason: 'Progressing', why: expect.stringContaining('a policy or a map was changed') });
});

describe('before the next batch', () => {
  test.each<[string, (stage: Stage) => void]>([
    ['nothing changed', () => {}],
    ['only statuses changed', ({ declared }) => void (declared.policies[0] = { ...policy, status: { observedGeneration: 9 } } as typeof policy)],
    ['a hold stands in the store', ({ declared }) => declared.holds.push(aHold([{}], {}, {}, { observedGeneration: 1, state: 'Active', stores: [{ namespace: 'platform-db', name: 'analytics', enforcedSince: '2026-01-01T00:00:00Z' }] }))],
    ['a namespace that has no part in it got a label', ({ declared }) => void (declared.namespaces = new Map([...declared.namespaces, ['shop', { tier: 'gold' }]]))],
    ['the maps are listed in another order', ({ declared }) => void declared.maps.reverse()],
    ['another namespace is frozen', ({ client }) => client.put(CONFIG_MAP, freeze('shop'))],
  ])('the run goes on when %s', async (_, change) => {
    expect(await askAfter(change)).toBeUndefined();
  });

  test.each<[string, (stage: Stage) => void, Stop['reason'], RegExp]>([
    ['the process leaves', ({ leaving }) => leaving.abort(), 'Progressing', /operator stops/],
    ['the window is over', ({ clock }) => void (clock.now = 60_000), 'WaitingForWindow', /window/],
    ['the root namespace is frozen', ({ client }) => client.put(CONFIG_MAP, freeze('dataward-system')), 'Frozen', /alice in ConfigMap dataward-system\/dataward-freeze: incident 7/],
    ["the store's namespace is frozen", ({ client }) => client.put(CONFIG_MAP, freeze('platform-db')), 'Frozen', /alice in ConfigMap platform-db/],
    ['the freeze cannot be read', ({ client }) => void (client.refuse = (_verb, kind) => { if (kind === CONFIG_MAP) throw apiError(403, 'Forbidden'); }), 'Frozen', /cannot be read, which counts as frozen/],
    ['the operator is frozen by its flag', ({ context }) => void (context.frozen = true), 'Frozen', /--frozen/],
    ['the run is gone', ({ client }) => client.take(PURGE_RUN, { namespace: 'platform-db', name: run.metadata.name }), 'Superseded', /PurgeRun was deleted/],
    ['the run is being deleted', putRun({ deletionTimestamp: '2026-03-01T02:00:00Z' }), 'Superseded', /PurgeRun was deleted/],
    ['another run took its name', putRun({ uid: 'uid-other' }), 'Superseded', /PurgeRun was deleted/],
    ['the policy is gone', ({ client }) => client.take(RETENTION_POLICY, { namespace: 'platform-db', name: 'general' }), 'Superseded', /policy of this run was deleted/],
    ['the policy is being deleted', putPolicy({}, { deletionTimestamp: '2026-03-01T02:00:00Z' }), 'Superseded', /policy of this run was deleted/],
    ['another policy took its name', putPolicy({}, { uid: 'uid-other' }), 'Superseded', /policy of this run was deleted/],
    ['the policy is suspended', putPolicy({ purge: aPurge({ suspend: true }) }, { generation: 2 }), 'Suspended', /suspend/],
    ['the policy was changed', putPolicy({ timeZone: 'Europe/Berlin' }, { generation: 2 }), 'Progressing', /policy was changed/],
    ['a hold is declared that does not stand yet', ({ declared }) => declared.holds.push(aHold([{}])), 'HoldPending', /platform-db\/matter-1/],
    ['a hold is declared that the cache has not heard of', ({ client }) => client.put(LEGAL_HOLD, aHold([{}])), 'HoldPending', /platform-db\/matter-1/],
    ['the store got a label that a hold selects which stands elsewhere', ({ client, declared }) => { declared.holds.push(gold); client.put(DATA_STORE, labelled); }, 'HoldPending', /platform-db\/matter-1/],
    ['the store got a label, which a minimum may select', ({ client }) => client.put(DATA_STORE, labelled), 'Progressing', /labels of the DataStore/],
    ['its namespace got a label, which a minimum of the root namespace may select', ({ declared }) => void (declared.namespaces = new Map([['platform-db', { tier: 'gold' }]])), 'Progressing', /of a namespace/],
    ['the namespace of a map got a label, by which the store may accept it', ({ declared }) => void (declared.namespaces = new Map([...declared.namespaces, ['web', { tier: 'gold' }]])), 'Progressing', /of a namespace/],
    ['the holds cannot be read', ({ client }) => void (client.refuse = (_verb, kind) => { if (kind === LEGAL_HOLD) throw apiError(403, 'Forbidden', 'list legalholds: forbidden'); }), 'ReadFailed', /list legalholds: forbidden/],
    ['the store is gone', ({ client }) => client.take(DATA_STORE, { namespace: 'platform-db', name: 'analytics' }), 'Superseded', /DataStore of this run was deleted/],
    ['the store is being deleted', ({ client }) => client.put(DATA_STORE, { ...aStore(), metadata: { ...aStore().metadata, deletionTimestamp: '2026-03-01T02:00:00Z' } }), 'Superseded', /DataStore of this run was deleted/],
    ['another store took its name', ({ client }) => client.put(DATA_STORE, { ...aStore(), metadata: { ...aStore().metadata, uid: 'uid-other' } }), 'Superseded', /DataStore of this run was deleted/],
    ['the store was changed', ({ client }) => client.put(DATA_STORE, { ...aStore(), metadata: { ...aStore().metadata, generation: 7 } }), 'Progressing', /DataStore was changed/],
    ['a map was changed', ({ declared }) => void (declared.maps[0] = aMap([{}], {}, { generation: 2 })), 'Progressing', /policy or a map/],
    ['a map was added', ({ declared }) => declared.maps.push(aMap([{}], {}, { name: 'more', uid: 'uid-more' })), 'Progressing', /policy or a map/],
    ['a map was deleted', ({ declared }) => void declared.maps.pop(), 'Progressing', /policy or a map/],
    ['another policy appeared', ({ declared }) => declared.policies.push(aPolicy('keep-longer', {})), 'Progressing', /policy or a map/],
  ])('the run stops when %s', async (_, change, reason, why) => {
    expect(await askAfter(change)).toEqual({ reason, why: expect.stringMatching(why) });
  });

  test('the holds themselves are read at once, and again in 5 s: a list before each batch would not end well', async () => {
    const client = memoryClient([[PURGE_RUN, run], [RETENTION_POLICY, policy], [DATA_STORE, aStore()]]);
    const decidedOn: Declarations = { maps: [], policies: [policy], holds: [], namespaces: new Map(), rootNamespace: 'dataward-system' };
    const clock = { now: 1_000 };
    let lists = 0;
    client.refuse = (verb, kind) => void (lists += Number(verb === 'list' && kind === LEGAL_HOLD));
    const ask = watchForStop(run, aStore(), policy, { client, decidedOn, declarations: { read: async () => decidedOn }, rootNamespace: 'dataward-system', frozen: false, leaving: new AbortController().signal, endsAt: 60_000, now: () => clock.now });
    const after = [];
    for (const now of [1_000, 1_100, 5_999, 6_000, 6_100]) {
      clock.now = now;
      expect(await ask()).toBeUndefined();
      after.push(lists);
    }
    expect(after).toEqual([1, 1, 1, 2, 2]);
  });

  test.each<[string, number[], string | undefined, number]>([
    ['in a second is taken', [1_000], undefined, 1],
    ['after more than that is asked for again', [1_001, 20], undefined, 2],
    ['after more than that time and again is a reason to stop', [1_001, 1_001, 1_001], 'ReadFailed', 3],
  ])('an answer that is complete %s', async (_, millis, reason, asked) => {
    let questions = 0;
    const stop = await askAfter(({ client, clock }) => {
      client.refuse = (verb, kind) => {
        if (verb === 'get' && kind === PURGE_RUN) clock.now += millis[questions++] ?? 0;
      };
    });
    expect([stop?.reason, questions]).toEqual([reason, asked]);
  });

  test('a freeze that comes while an answer is slow is seen by the next one', async () => {
    let reads = 0;
    const stop = await askAfter(({ client, clock }) => {
      client.refuse = (verb, kind) => {
        if (verb !== 'get' || kind !== CONFIG_MAP) return;
        reads += 1;
        if (reads !== 2) return;
        clock.now += 2_000;
        queueMicrotask(() => client.put(CONFIG_MAP, freeze('platform-db')));
      };
    });
    expect([stop?.reason, reads]).toEqual(['Frozen', 4]);
  });

  test('an API server that does not answer is a reason to stop', async () => {
    expect(await askAfter(({ client }) => void (client.refuse = () => { throw apiError(503, 'ServiceUnavailable'); }))).toEqual({ reason: 'ReadFailed', why: expect.stringMatching(/ServiceUnavailable; look at the API server/) });
  });

  test('a fault nobody foresaw is not told as a reason to wait', async () => {
    await expect(askAfter(({ client }) => void (client.refuse = () => { throw new TypeError('undefined is not a run'); }))).rejects.toThrow(TypeError);
  });
});
