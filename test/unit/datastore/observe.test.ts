import { describe, expect, test } from '@jest/globals';
import type { DataStore } from '../../../src/api/generated/dataStore.ts';
import type { RetentionPolicy } from '../../../src/api/generated/retentionPolicy.ts';
import { createStoreFacts } from '../../../src/connect/facts.ts';
import type { Readings } from '../../../src/connect/readings.ts';
import type { StoreConnections } from '../../../src/connect/stores.ts';
import { observe, type Observation } from '../../../src/datastore/observe.ts';
import type { CollectionCount } from '../../../src/stores/counting.ts';
import { StoreError } from '../../../src/stores/errors.ts';
import type { FenceState } from '../../../src/stores/fence.ts';
import type { StoreReader } from '../../../src/stores/port.ts';
import { aMap, aMaximum, anInventory, aPolicy, aStore, aTable } from '../../support/declared.ts';
import { aReplica, type ReplicaScript } from '../../support/scripted-replicas.ts';
import { scriptedStore } from '../../support/scripted-store.ts';

const NOW = Date.parse('2026-03-02T12:00:00Z');
const TARGET = aReplica().identity.fingerprint;
const times = [{ event: 'Created', field: 'created_at', type: 'TimestampTZ' as const }, { event: 'Closed', field: 'closed_at', type: 'TimestampTZ' as const }];
const yearly = aPolicy('general', { maximum: aMaximum('P1Y') });
const monthly = aPolicy('general', { maximum: aMaximum('P1M') });

function store(runOn: 'Primary' | 'Replica'): DataStore {
  const one = aStore({ credentials: { observe: { secretName: 'observe' } } });
  return { ...one, spec: { ...one.spec, endpoint: { ...one.spec.endpoint, replicas: [{ host: 'replica.example', port: 5432 }] }, observation: { ...one.spec.observation, counts: { ...one.spec.observation.counts, runOn } } } };
}

/** Looks once; the primary has 7 due rows, the replica 3, so that a figure says where it is from. */
async function look(declared: DataStore, options: { policy?: RetentionPolicy; uncounted?: CollectionCount['uncounted']; asked?: (readonly string[] | undefined)[]; others?: RetentionPolicy[]; stores?: DataStore[]; before?: Readings; replica?: ReplicaScript; now?: number; storeClock?: number; fence?: FenceState; probe?: StoreConnections['probe'] } = {}): Promise<Observation & { opened: number }> {
  let opened = 0;
  const now = (): number => options.now ?? NOW;
  const reader = (due: number, script: ReplicaScript): StoreReader => {
    opened += 1;
    const known: Partial<StoreReader> = {
      identity: async () => script.identity,
      clock: async () => new Date(options.storeClock ?? now()).toISOString(),
      sessions: async () => ({ total: 1, plaintext: 0, complete: true, own: { tls: true, serverAddressMatches: true } }),
      inventory: async () => anInventory([aTable('views', ['id', 'created_at', 'closed_at'])], { otherDatabases: ['archive', 'orders'] }),
      fence: async () => options.fence,
      missingRights: async () => [],
      position: async () => 'P7',
      hasReached: async () => script.reached,
      count: async ({ collections }) => {
        options.asked?.push(collections);
        return [{ collection: 'platform-db/web/views', due, ...(options.uncounted ? { uncounted: options.uncounted } : {}) } as CollectionCount];
      },
      close: async () => void (opened -= 1),
    };
    return known as StoreReader;
  };
  const { replica = aReplica() } = options;
  const connections = {
    probe: options.probe ?? (async () => Promise.reject(new StoreError('Unreachable', 'not asked here'))),
    reader: async () => reader(7, aReplica({ identity: { ...aReplica().identity, replica: false } })),
    replicaReader: async () => reader(3, replica),
  } as unknown as StoreConnections;
  const declarations = { maps: [aMap([{ times }])], policies: [options.policy ?? yearly, ...(options.others ?? [])], holds: [], namespaces: new Map([['platform-db', {}]]), rootNamespace: 'dataward-system' };
  const observation = await observe(declared, options.before, { connections, facts: createStoreFacts({ connections, now }), declarations, stores: options.stores ?? [declared], owner: 'us', now, signal: new AbortController().signal });
  return { ...observation, opened };
}

test.each<[string, FenceState | undefined, Observation['fence']]>([
  ['nothing is installed', undefined, {}],
  ['nobody froze it', { owner: 'us', marker: 'm', holdsRevision: 1, holds: [] }, {}],
  ['somebody did', { owner: 'us', marker: 'm', holdsRevision: 1, holds: [], frozen: { by: 'oncall', reason: 'incident', at: '2026-03-02T11:00:00Z' } }, { frozen: { by: 'oncall', reason: 'incident', at: '2026-03-02T11:00:00Z' } }],
])('a look sees whether the store was frozen in itself: %s', async (_, fence, seen) => {
  expect((await look(store('Primary'), fence ? { fence } : {})).fence).toEqual(seen);
});

const due = ({ counts }: Observation): number | undefined => counts?.counts[0]?.due;
const stranger = aReplica({ identity: { ...aReplica().identity, fingerprint: 'sha256:other' } });

describe('rows are counted', () => {
  test.each<[string, 'Primary' | 'Replica', number]>([
    ['at the primary', 'Primary', 7],
    ['at a replica, where that is asked for', 'Replica', 3],
  ])('%s, and every login is ended', async (_, runOn, rows) => {
    const seen = await look(store(runOn));
    expect([seen.failure, seen.identity?.fingerprint, due(seen), seen.opened]).toEqual([undefined, TARGET, rows, 0]);
  });

  test('again where any of several policies that limit a collection changed', async () => {
    const closed = (period: string): RetentionPolicy => aPolicy('later', { maximum: { ...aMaximum(period), from: 'Closed' } as never });
    const first = await look(store('Primary'), { others: [closed('P3Y')] });
    const same = await look(store('Primary'), { before: first, others: [closed('P3Y')], now: NOW + 60_000 });
    const shorter = await look(store('Primary'), { before: same, others: [closed('P2Y')], now: NOW + 120_000 });
    expect([first, same, shorter].map(({ counts }) => counts?.at)).toEqual([NOW, NOW, NOW + 120_000]);
  });

  test('again at the next look where one could not be, that one alone, and the time of the others stays', async () => {
    const asked: (readonly string[] | undefined)[] = [];
    const uncounted = { reason: 'PermissionDenied' as const, message: 'observe lacks a privilege' };
    const first = await look(store('Primary'), { uncounted, asked });
    const still = await look(store('Primary'), { before: first, uncounted, asked, now: NOW + 60_000 });
    const granted = await look(store('Primary'), { before: still, asked, now: NOW + 120_000 });
    await look(store('Primary'), { before: granted, asked, now: NOW + 180_000 });
    expect(asked).toEqual([undefined, ['platform-db/web/views'], ['platform-db/web/views']]);
    expect([first, still, granted].map(({ counts, failure }) => [counts?.at, counts?.counts[0]?.uncounted !== undefined, failure])).toEqual([[NOW, true, undefined], [NOW, true, undefined], [NOW, false, undefined]]);
  });

  test('not again while rules and day are the same', async () => {
    const first = await look(store('Primary'));
    const second = await look(store('Replica'), { before: first, replica: stranger, now: NOW + 60_000 });
    expect([second.failure, due(second), second.counts?.at]).toEqual([undefined, 7, NOW]);
  });
});

describe('where the clocks of operator and store differ', () => {
  const probe: StoreConnections['probe'] = async () => ({ observedAt: '2026-03-02T12:00:00Z', accepted: [], refused: [] });

  test.each([
    ['the operator is three hours ahead', NOW + 10_800_000],
    ['the operator is three hours behind', NOW - 10_800_000],
  ])('nothing read now or before is believed, and every login is ended: %s', async (_, now) => {
    const before = await look(store('Primary'), { probe });
    expect([before.transport?.at, before.inventory?.at, before.counts?.at]).toEqual([NOW, NOW, NOW]);
    const { opened, ...seen } = await look(store('Primary'), { before, now, storeClock: NOW, probe });
    expect(seen).toMatchObject({ generation: 1, identity: { fingerprint: TARGET }, failure: { reason: 'ClockSkew', message: 'the clocks of operator and store differ by 10800 s; synchronise them, nothing is deleted until they agree within 60 s, and nothing that was read of the store is believed' } });
    expect([opened, Object.keys(seen).filter((group) => ['transport', 'inventory', 'rules', 'counts'].includes(group))]).toEqual([0, []]);
  });

  test('by up to a minute they work together', async () => {
    const seen = await look(store('Primary'), { storeClock: NOW - 60_000, probe });
    expect([seen.failure, due(seen)]).toEqual([undefined, 7]);
  });

  test('everything is read anew once they agree', async () => {
    const skewed = await look(store('Primary'), { now: NOW + 10_800_000, storeClock: NOW, probe });
    const seen = await look(store('Primary'), { before: skewed, probe });
    expect([seen.failure, seen.transport?.at, seen.inventory?.at, due(seen)]).toEqual([undefined, NOW, NOW, 7]);
  });
});

describe('where the replica is another store', () => {
  test('there is no count, the rest of the look stands, and every login is ended', async () => {
    const seen = await look(store('Replica'), { replica: stranger });
    expect(seen).toMatchObject({ failure: { reason: 'NotAReplica' }, identity: { fingerprint: TARGET }, opened: 0 });
    expect([due(seen), seen.inventory?.at]).toEqual([undefined, NOW]);
  });

  test('a figure of yesterday stands until it is too old', async () => {
    const first = await look(store('Replica'));
    const second = await look(store('Replica'), { before: first, replica: stranger, now: NOW + 86_400_000 });
    expect([second.failure?.reason, due(second), second.counts?.at]).toEqual(['NotAReplica', 3, NOW]);
  });

  test('a figure of other rules is not carried on: nothing due under a year says nothing about a month', async () => {
    const first = await look(store('Replica'));
    const second = await look(store('Replica'), { before: first, replica: stranger, policy: monthly });
    expect([second.failure?.reason, second.counts]).toEqual(['NotAReplica', undefined]);
  });
});

describe('where the tables cannot be read', () => {
  const declared = aStore({ credentials: { observe: { secretName: 'observe' }, enforce: { secretName: 'enforce' }, verify: { secretName: 'verify' } } });
  /** Looks at a store whose tables cannot be read for this reason. */
  async function looked(reason: 'Unreachable' | 'PermissionDenied'): Promise<{ seen: Observation; calls: string[]; open: number }> {
    const store = scriptedStore({ clock: new Date(NOW).toISOString(), fence: undefined });
    const opened: string[] = [];
    const connections = {
      ...store.connections,
      probe: async () => ({ observedAt: '', accepted: [], refused: [] }),
      reader: async (...[of, purpose]: Parameters<StoreConnections['reader']>) => {
        opened.push(purpose);
        return { ...(await store.connections.reader(of, purpose)), inventory: () => Promise.reject(new StoreError(reason, 'not read')), sessions: async () => ({ total: 1, plaintext: 0, complete: true, own: { tls: true, serverAddressMatches: true } }) };
      },
      writer: async (...[of]: Parameters<StoreConnections['writer']>) => {
        opened.push('enforce');
        return store.connections.writer(of);
      },
    } as StoreConnections;
    const now = (): number => NOW;
    const seen = await observe(declared, undefined, { connections, facts: createStoreFacts({ connections, now }), declarations: { maps: [], policies: [], holds: [], namespaces: new Map(), rootNamespace: 'dataward-system' }, stores: [declared], owner: 'us', now, signal: new AbortController().signal });
    return { seen, calls: opened, open: store.open() };
  }

  test('the schema that holds need is put there all the same, each identity is tried, and of their rights nothing is known', async () => {
    const { seen, calls, open } = await looked('PermissionDenied');
    expect([seen.installed, seen.failure?.reason, seen.logins, calls, open]).toEqual([true, 'PermissionMissing', { observe: 'LoggedIn', enforce: 'LoggedIn', verify: 'LoggedIn' }, ['observe', 'enforce', 'verify'], 0]);
  });

  test('since the host is gone nobody else waits for it', async () => {
    const { seen, calls, open } = await looked('Unreachable');
    expect([seen.failure?.reason, seen.logins, calls, open]).toEqual(['Unreachable', { observe: { reason: 'Unreachable', message: 'not read' } }, ['observe'], 0]);
  });
});

test.each<[string, Partial<DataStore['spec']['endpoint']>, string[]]>([
  ['on the same server', { database: 'orders' }, ['archive']],
  ['on another port', { database: 'orders', port: 5433 }, ['archive', 'orders']],
  ['on another host', { database: 'orders', host: 'elsewhere.example' }, ['archive', 'orders']],
])('a database that another DataStore declares %s', async (_, endpoint, left) => {
  const one = store('Primary');
  const other: DataStore = { ...one, metadata: { ...one.metadata, name: 'orders' }, spec: { ...one.spec, endpoint: { ...one.spec.endpoint, ...endpoint } } };
  expect((await look(one, { stores: [one, other] })).inventory?.inventory.otherDatabases).toEqual(left);
  expect((await look(one, { stores: [one, { ...other, metadata: { ...other.metadata, deletionTimestamp: '2026-03-02T11:00:00Z' } }] })).inventory?.inventory.otherDatabases).toEqual(['archive', 'orders']);
});
