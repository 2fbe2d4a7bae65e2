import { describe, expect, test } from '@jest/globals';
import type { DataMap } from '../../../src/api/generated/dataMap.ts';
import type { HoldBlock, LegalHold } from '../../../src/api/generated/legalHold.ts';
import { DATA_STORE, LEGAL_HOLD } from '../../../src/api/kinds.ts';
import type { StoreFacts } from '../../../src/connect/facts.ts';
import type { DeclarationSource } from '../../../src/connect/declarations.ts';
import { newCopy } from '../../../src/holds/copies.ts';
import { createLegalHoldReconcile } from '../../../src/holds/reconcile.ts';
import { ApiError } from '../../../src/runtime/client.ts';
import type { Result } from '../../../src/runtime/result.ts';
import { StoreError } from '../../../src/stores/errors.ts';
import type { StoreHold } from '../../../src/stores/fence.ts';
import { aHold, aMap, anInventory, aStore, aTable } from '../../support/declared.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { memoryAudit, type MemoryAudit } from '../../support/memory-audit.ts';
import { apiError, memoryClient, type MemoryClient } from '../../support/memory-client.ts';
import { scriptedStore, type ScriptedStore } from '../../support/scripted-store.ts';

const ROOT = 'dataward-system';
const views = { table: { schema: 'public', name: 'views' }, predicate: { op: 'true' as const } };
const FINALIZERS = ['dataward.io/protect'];
const ref = { namespace: 'platform-db', name: 'matter-1' };
const successorRef = { namespace: ROOT, name: 'matter-1-uid-matt' };
const standing = { namespace: 'platform-db', name: 'analytics', enforcedSince: '2026-01-01T00:00:00Z' };
const byTwo = { release: { request: { by: 'alice', at: '2026-01-01T00:00:00Z', reason: 'settled' }, approval: { by: 'bob', at: '2026-01-01T00:00:00Z' } } } as Partial<LegalHold['spec']>;
const byOne = { release: { request: byTwo.release!.request, approval: { ...byTwo.release!.approval!, by: 'alice' } } } as Partial<LegalHold['spec']>;
const leaving = { deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: FINALIZERS };

interface Stage {
  client: MemoryClient;
  audit: MemoryAudit;
  store: ScriptedStore;
  clock: FakeClock;
  actions(): string[];
  /** What changed the holds in the store. */
  holdCalls(): string[];
  standing(): { uid: string; items: StoreHold['items'] }[];
  /** Reasons of the events and what they are about, oldest first. */
  told: string[];
  /** Why the declarations cannot be read. */
  unreadable: { error?: Error };
  look(which?: typeof ref): Promise<Result>;
  hold(which?: typeof ref): LegalHold | undefined;
}

function stage(hold: LegalHold, options: { unreachable?: boolean; stores?: string[]; maps?: DataMap[] } = {}): Stage {
  const names = options.stores ?? ['analytics'];
  const client = memoryClient([[LEGAL_HOLD, hold], ...names.map((name) => [DATA_STORE, aStore({}, { name, uid: `uid-${name}` })] as const)]);
  const audit = memoryAudit();
  const told: string[] = [];
  // What the status says stands there does.
  const holds = hold.status?.stores ? [{ uid: hold.metadata.uid ?? '', name: 'platform-db/matter-1', revision: 1, items: [views] }] : [];
  const store = scriptedStore({ inventory: anInventory([aTable('views', ['id'])]), fence: { owner: 'us', marker: 'm', holdsRevision: 1, holds } });
  const clock = createFakeClock();
  const unreadable: Stage['unreadable'] = {};
  const declarations: DeclarationSource = { read: async () => unreadable.error ? Promise.reject(unreadable.error) : ({ maps: options.maps ?? [aMap([{}])], policies: [], holds: await client.list<LegalHold>(LEGAL_HOLD), namespaces: new Map([['platform-db', { 'kubernetes.io/metadata.name': 'platform-db' }]]), rootNamespace: ROOT }) };
  const reconcile = createLegalHoldReconcile({
    client,
    audit,
    clock,
    declarations,
    connections: options.unreachable ? { ...store.connections, writer: () => Promise.reject(new StoreError('Unreachable', 'no answer')) } : store.connections,
    facts: { remember: () => {} } as unknown as StoreFacts,
    rootNamespace: ROOT,
    actor: 'dataward',
    owner: 'us',
    barrier: { wrote: () => {}, passed: async () => true },
    events: { event: ({ metadata }, { reason }) => void told.push(`${reason} ${metadata.namespace}/${metadata.name}`), flush: async () => {}, stop: async () => {} },
  });
  return {
    client,
    audit,
    store,
    clock,
    told,
    unreadable,
    holdCalls: () => store.calls.filter((call) => call.includes('Hold')),
    standing: () => (store.script.fence?.holds ?? []).map(({ uid, items }) => ({ uid, items })),
    actions: () => audit.entries.map((entry) => entry.action),
    look: (which = ref) => reconcile(which, { signal: new AbortController().signal }),
    hold: (which = ref) => client.read<LegalHold>(LEGAL_HOLD, which),
  };
}

describe('a hold', () => {
  test('has its finalizer before it is in any store, then stands, and is recorded once', async () => {
    const one = stage(aHold([{}]));
    expect(await one.look()).toEqual({ kind: 'requeueAfter', ms: 60_000 });
    expect(one.client.writes).toEqual(['patch LegalHold platform-db/matter-1', 'replaceStatus LegalHold platform-db/matter-1', 'replaceStatus LegalHold platform-db/matter-1']);
    expect(one.hold()).toMatchObject({ metadata: { finalizers: FINALIZERS }, status: { state: 'Active', stores: [{ name: 'analytics', enforcedSince: '2026-03-01T00:00:00Z' }] } });
    await one.look();
    expect(one.actions()).toEqual(['hold.enforced']);
  });

  test.each<[string, LegalHold['status'], string]>([
    ['that is new is Pending', undefined, 'Pending'],
    ['that stood stays as it is', { observedGeneration: 1, state: 'Active', stores: [standing] }, 'Active'],
  ])('%s, and not Ready, with the reason, while nobody can read where it applies', async (_, status, state) => {
    const one = stage(aHold([{}], {}, {}, status));
    one.unreadable.error = new ApiError({ status: 403, reason: 'Forbidden', message: 'GET datamaps: not allowed' });
    expect(await one.look()).toEqual({ kind: 'requeueAfter', ms: 5_000 });
    expect(one.hold()?.status).toMatchObject({ state, ...(status?.stores ? { stores: status.stores } : {}), conditions: expect.arrayContaining([expect.objectContaining({ type: 'Ready', status: 'False', reason: 'ReadFailed', message: expect.stringContaining('grant this right') })]) });
    expect(one.actions()).toEqual([]);
    one.unreadable.error = new TypeError('x');
    await expect(one.look()).rejects.toThrow(TypeError);
    delete one.unreadable.error;
    await one.look();
    expect(one.hold()?.status?.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }));
  });

  test('is Pending, not recorded, and looked at again soon while a store cannot be reached; where it stood it stands', async () => {
    const one = stage(aHold([{}], {}, { generation: 2 }, { observedGeneration: 1, state: 'Active', stores: [standing] }), { unreachable: true });
    expect(await one.look()).toEqual({ kind: 'requeueAfter', ms: 5_000 });
    expect(one.hold()?.status).toMatchObject({ state: 'Pending', observedGeneration: 1, stores: [{ ...standing, message: 'no answer' }] });
    expect(one.actions()).toEqual([]);
  });

  test('is counted once it is said to stand, by who only looks, and again when the store is', async () => {
    const one = stage(aHold([{}]));
    one.store.script.kept = { rows: 12, exact: true };
    await one.look();
    expect(one.store.calls).toEqual(['enforce:putHold uid-matter-1 views true', 'observe:countKept views']);
    expect(one.hold()?.status?.stores).toMatchObject([{ items: 12, countExact: true, countedAt: expect.any(String) }]);
    await one.look();
    await one.look();
    const counts = (): number => one.store.calls.filter((call) => call.includes('countKept')).length;
    expect([counts(), one.hold()?.status?.stores?.[0]?.items]).toEqual([1, 12]);
    one.store.script.kept = { rows: 14, exact: false };
    await one.clock.advance(86_400_000);
    await one.look();
    expect(one.hold()?.status?.stores).toMatchObject([{ items: 14, countExact: false }]);
    expect([counts(), one.store.open()]).toEqual([2, 0]);
  });

  test('stands all the same when its rows cannot be counted, and shows no figure', async () => {
    const one = stage(aHold([{}]));
    one.store.script.kept = new StoreError('PermissionDenied', 'reader may not read public.views');
    expect(await one.look()).toEqual({ kind: 'requeueAfter', ms: 60_000 });
    expect(one.hold()?.status).toMatchObject({ state: 'Active', stores: [{ countExact: false }] });
    expect(one.hold()?.status?.stores?.[0]).not.toHaveProperty('items');
    expect(one.hold()?.status?.stores?.[0]).not.toHaveProperty('countedAt');
    expect(one.store.open()).toBe(0);
    // It is tried again with the next look, not with the next counts of the store.
    one.store.script.kept = { rows: 12, exact: true };
    await one.look();
    expect(one.hold()?.status?.stores).toMatchObject([{ items: 12, countExact: true, countedAt: expect.any(String) }]);
  });

  test('is counted again at once when more stands there than before', async () => {
    const one = stage(aHold([{}]));
    one.store.script.kept = { rows: 12, exact: true };
    await one.look();
    one.store.script.kept = { rows: 30, exact: true };
    one.store.script.standing = [{ table: { schema: 'public', name: 'views' }, predicate: { op: 'false' } }];
    await one.look();
    expect(one.hold()?.status?.stores).toMatchObject([{ items: 30, countExact: true }]);
  });

  test('is counted in one store a look, so that other holds get their turn; stores its status has no room for are not counted again', async () => {
    const one = stage(aHold([{}]), { stores: ['a', 'b'] });
    expect(await one.look()).toEqual({ kind: 'requeueAfter', ms: 1_000 });
    expect(await one.look()).toEqual({ kind: 'requeueAfter', ms: 60_000 });
    expect(one.hold()?.status?.stores?.map((store) => store.countExact)).toEqual([true, true]);
    const many = stage(aHold([{}], {}, {}, { revision: 1, truncated: 10, stores: [{ ...standing, name: 's1' }] }), { stores: ['s1', 's2'] });
    expect(await many.look()).toEqual({ kind: 'requeueAfter', ms: 60_000 });
  });

  test('is not said to stand with words that were added while it was brought into force', async () => {
    const one = stage(aHold([{}]));
    const { writer } = one.store.connections;
    one.store.connections.writer = (store, signal) => {
      one.client.put(LEGAL_HOLD, { ...one.hold()!, metadata: { ...one.hold()!.metadata, generation: 2 } });
      return writer(store, signal);
    };
    await one.look();
    expect(one.hold()).toMatchObject({ metadata: { generation: 2 }, status: { observedGeneration: 1, revision: 1 } });
  });

  test('that keeps no row, by an exact count, says so with the next look, which is at once, and forgets it when rows come', async () => {
    const one = stage(aHold([{}]));
    const written = (): string => `${one.hold()?.status?.conditions?.find(({ type }) => type === 'AsWritten')?.reason}`;
    one.store.script.kept = { rows: 0, exact: true };
    expect(await one.look()).toEqual({ kind: 'requeueAfter', ms: 1_000 });
    expect(await one.look()).toEqual({ kind: 'requeueAfter', ms: 60_000 });
    expect([one.hold()?.status?.state, one.hold()?.status?.stores?.[0]?.emptyBlocks, written()]).toEqual(['Active', [0], 'NothingHeld']);
    one.store.script.kept = { rows: 1, exact: true };
    await one.clock.advance(86_400_000);
    await one.look();
    await one.look();
    expect(written()).not.toBe('NothingHeld');
  });

  test('that reaches no store waits for one, is on record as in force only then, and is in force at once where one appears', async () => {
    const one = stage(aHold([{}]), { stores: [] });
    await one.look();
    expect([one.hold()?.status?.state, one.hold()?.status?.storesTotal, one.actions()]).toEqual(['Pending', 0, []]);
    expect(one.told).toContain('NothingHeld platform-db/matter-1');
    one.client.put(DATA_STORE, aStore());
    await one.look();
    await one.look();
    expect([one.hold()?.status?.state, one.hold()?.status?.storesTotal, one.actions()]).toEqual(['Active', 1, ['hold.enforced']]);
  });

  test('that finds no collection is in force, says that it keeps no row, and an event says so', async () => {
    const one = stage(aHold([{ collections: { names: ['veiws'] } }]));
    await one.look();
    expect(one.hold()?.status).toMatchObject({ state: 'Active', conditions: expect.arrayContaining([expect.objectContaining({ type: 'AsWritten', status: 'False', reason: 'NothingHeld' })]) });
    expect(one.told).toContain('NothingHeld platform-db/matter-1');
  });

  test('stays in a store it no longer selects', async () => {
    const one = stage(aHold([{ stores: { names: ['other'] } }], {}, {}, { stores: [standing] }));
    await one.look();
    expect(one.store.calls[0]).toMatch(/^enforce:putHold uid-matter-1/);
  });

  test('stays in force when one person both asked for the release and approved it', async () => {
    const one = stage(aHold([{}], byOne, {}, { stores: [standing] }));
    await one.look();
    expect([one.hold()?.status?.state, one.store.calls.filter((call) => call.includes('releaseHold'))]).toEqual(['Active', []]);
  });

  test('that two people released goes from the stores it stands in, is recorded with both names, and only once', async () => {
    const one = stage(aHold([{ stores: { names: ['other'] } }], byTwo, { finalizers: FINALIZERS }, { stores: [standing] }), { stores: ['analytics', 'elsewhere'] });
    await one.look();
    await one.look();
    expect(one.store.calls).toEqual(['enforce:releaseHold uid-matter-1']);
    expect(one.audit.entries).toMatchObject([{ action: 'hold.released', refs: { requestedBy: 'alice', approvedBy: 'bob', matter: '2026-014' } }]);
    expect(one.hold()?.status?.state).toBe('Released');
  });

  test('that two people released goes from a store it was put into just before a crash, although no status says so', async () => {
    const one = stage(aHold([{}], byTwo, { finalizers: FINALIZERS }));
    await one.look();
    expect(one.store.calls).toEqual(['enforce:releaseHold uid-matter-1']);
  });

  test('that two people released goes from the stores that can be reached, and is tried again in the others', async () => {
    const one = stage(aHold([{}], byTwo, { finalizers: FINALIZERS }), { stores: ['a', 'b', 'c'] });
    const { writer } = one.store.connections;
    one.store.connections.writer = (store, signal) => (store.metadata.name === 'b' ? Promise.reject(new StoreError('Unreachable', 'b does not answer')) : writer(store, signal));
    await expect(one.look()).rejects.toThrow('b does not answer');
    expect([one.store.calls.length, one.hold()?.status?.state]).toEqual([2, undefined]);
    one.store.connections.writer = writer;
    await one.look();
    expect([one.store.calls.length, one.hold()?.status?.state]).toEqual([5, 'Released']);
  });

  test('is not called Released while a store cannot be reached', async () => {
    const one = stage(aHold([{}], byTwo, { finalizers: FINALIZERS }, { state: 'Active', stores: [standing] }), { unreachable: true });
    await expect(one.look()).rejects.toThrow('no answer');
    expect([one.hold()?.status?.state, one.actions()]).toEqual(['Active', []]);
  });

  test('in more stores than its status names is released in every store', async () => {
    const stores = Array.from({ length: 60 }, (_, index) => `s${index}`);
    const one = stage(aHold([{}]), { stores });
    await one.look();
    expect(one.hold()?.status).toMatchObject({ storesTotal: 60, truncated: 10 });
    one.client.put(LEGAL_HOLD, { ...one.hold()!, spec: { ...one.hold()!.spec, ...byTwo } });
    await one.look();
    expect(one.store.calls.filter((call) => call.includes('releaseHold'))).toHaveLength(60);
  });
});

describe('a hold whose object is deleted', () => {
  test('is there again in the root namespace, with the same words, before the old object may go', async () => {
    const one = stage(aHold([{}], {}, leaving, { state: 'Active', stores: [standing] }));
    expect(await one.look()).toEqual({ kind: 'requeueAfter', ms: 2_000 });
    expect(one.hold(successorRef)).toMatchObject({
      metadata: { annotations: { 'dataward.io/moved-from': 'platform-db/matter-1', 'dataward.io/moved-uids': 'uid-matter-1' } },
      spec: { matter: '2026-014', scope: aHold([{}]).spec.scope, namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'platform-db' } } },
    });
    expect(one.hold()?.metadata.finalizers).toEqual(FINALIZERS);
    expect(one.store.calls).toEqual([]);
  });

  test('goes, and leaves the stores, once its copy stands; the move is recorded once', async () => {
    const one = stage(aHold([{}], {}, leaving, { state: 'Active', stores: [standing] }));
    await one.look();
    await one.look(successorRef);
    expect(one.hold(successorRef)?.status?.state).toBe('Active');
    expect(await one.look()).toEqual({ kind: 'done' });
    expect(one.holdCalls()).toEqual(['enforce:putHold uid-matter-1-uid-matt views true,views true as uid-matter-1 before', 'enforce:releaseHold uid-matter-1']);
    expect(one.hold()?.metadata.finalizers).toEqual([]);
    expect(one.actions()).toEqual(['hold.moved', 'hold.enforced']);
    expect(one.told.filter((event) => event.startsWith('Moved'))).toEqual([`MovedToRootNamespace ${ROOT}/${successorRef.name}`]);
  });

  test.each<[string, Partial<HoldBlock>, { maps?: DataMap[] }]>([
    ['when its store was relabelled', { stores: { matchLabels: { court: 'yes' } } }, {}],
    ['when the maps went with the namespace', {}, { maps: [] }],
    ['when its collection has another name', { collections: { names: ['visits'] } }, {}],
  ])('%s stands in its store all the same, as its copy, which knows the store and says what it keeps', async (_, block, options) => {
    const one = stage(aHold([block], {}, leaving, { state: 'Active', stores: [standing] }), options);
    await one.look();
    await one.look(successorRef);
    expect(await one.look()).toEqual({ kind: 'done' });
    expect(one.holdCalls()).toEqual(['enforce:putHold uid-matter-1-uid-matt views true as uid-matter-1 before', 'enforce:releaseHold uid-matter-1']);
    expect(one.standing()).toEqual([{ uid: successorRef.name.replace('matter', 'uid-matter'), items: [views] }]);
    expect(one.hold(successorRef)?.status).toMatchObject({ stores: [{ name: 'analytics', enforcedSince: expect.any(String) }], conditions: expect.arrayContaining([expect.objectContaining({ type: 'AsWritten', reason: 'HoldWidened', message: expect.stringMatching(/views: what it meant there at another time stands too/) })]) });
    one.client.take(LEGAL_HOLD, ref);
    one.client.put(LEGAL_HOLD, { ...one.hold(successorRef)!, spec: { ...one.hold(successorRef)!.spec, ...byTwo } });
    await one.look(successorRef);
    expect([one.standing(), one.hold(successorRef)?.status?.state]).toEqual([[], 'Released']);
  });

  test.each<[string, (copy: LegalHold) => LegalHold]>([
    ['is not in force in every store it reaches', (copy) => ({ ...copy, status: { ...copy.status, state: 'Pending' } })],
    ['has newer words that are not in force', (copy) => ({ ...copy, metadata: { ...copy.metadata, generation: 2 } })],
  ])('that was not yet put into a store stays while its copy %s', async (_, change) => {
    const one = stage(aHold([{}], {}, leaving));
    await one.look();
    await one.look(successorRef);
    const copy = one.hold(successorRef)!;
    one.client.put(LEGAL_HOLD, change(copy));
    expect(await one.look()).toEqual({ kind: 'requeueAfter', ms: 2_000 });
    one.client.put(LEGAL_HOLD, copy);
    expect(await one.look()).toEqual({ kind: 'done' });
  });

  test('is not served by a hold of another namespace that claims to be its copy', async () => {
    const hold = aHold([{}], {}, leaving, { state: 'Active', stores: [standing] });
    const one = stage(hold);
    const claim = newCopy(hold, { holds: [], rootNamespace: ROOT });
    one.client.put(LEGAL_HOLD, { ...claim, metadata: { ...claim.metadata, namespace: 'shop' }, status: { state: 'Active', observedGeneration: 1, stores: [standing] } });
    await one.look();
    expect(one.actions()).toEqual(['hold.moved']);
  });

  test('stays in a store as long as less stands there of its copy, whatever the status of that says', async () => {
    const one = stage(aHold([{}], {}, leaving, { state: 'Active', stores: [standing] }));
    await one.look();
    await one.look(successorRef);
    const { fence } = one.store.script;
    one.store.script.fence = { ...fence!, holds: fence!.holds.map((hold) => (hold.uid === 'uid-matter-1' ? { ...hold, items: [views, { ...views, table: { schema: 'public', name: 'clicks' } }] } : hold)) };
    expect(await one.look()).toEqual({ kind: 'requeueAfter', ms: 2_000 });
    one.store.script.fence = { ...fence!, holds: fence!.holds.filter((hold) => hold.uid === 'uid-matter-1') };
    expect(await one.look()).toEqual({ kind: 'requeueAfter', ms: 2_000 });
    expect([one.holdCalls().filter((call) => call.includes('releaseHold')), one.hold()?.metadata.finalizers]).toEqual([[], FINALIZERS]);
  });

  test.each<[string, (copy: LegalHold) => LegalHold]>([
    ['has other words', (copy) => ({ ...copy, spec: { ...copy.spec, scope: aHold([{ stores: { names: ['nowhere'] } }]).spec.scope } })],
    ['reaches other namespaces', (copy) => ({ ...copy, spec: { ...copy.spec, namespaceSelector: { matchLabels: { team: 'web' } } } })],
    ['takes the place of another', (copy) => ({ ...copy, spec: { ...copy.spec, supersedes: 'matter-0' } })],
    ['is about another matter', (copy) => ({ ...copy, spec: { ...copy.spec, matter: '2026-015' } })],
    ['was not created for it', ({ metadata: { annotations: _annotations, ...metadata }, ...copy }) => ({ ...copy, metadata })],
    ['was created for a hold of its name that is long gone', (copy) => ({ ...copy, metadata: { ...copy.metadata, annotations: { ...copy.metadata.annotations, 'dataward.io/moved-uids': 'uid-of-before' } } })],
    ['was released by two people before', (copy) => ({ ...copy, metadata: { ...copy.metadata, creationTimestamp: '2025-12-31T23:59:59Z' }, spec: { ...copy.spec, ...byTwo }, status: { state: 'Released' } })],
  ])('does not take a hold under the name of its copy for it that %s: it gets another one, which is recorded', async (_, change) => {
    const hold = aHold([{}], {}, leaving, { state: 'Active', stores: [standing] });
    const one = stage(hold);
    one.client.put(LEGAL_HOLD, change({ ...newCopy(hold, { holds: [], rootNamespace: ROOT }), status: { state: 'Active', observedGeneration: 1, stores: [standing] } }));
    await one.look();
    const second = { ...successorRef, name: `${successorRef.name}-2` };
    expect([one.actions(), one.audit.entries[0]?.refs]).toEqual([['hold.moved'], { successor: second.name }]);
    await one.look(second);
    expect(await one.look()).toEqual({ kind: 'done' });
    expect(one.standing()).toEqual([{ uid: `uid-${second.name}`, items: [views] }]);
  });

  test('takes for its copy one that people have widened since, and makes no other', async () => {
    const hold = aHold([{}], {}, leaving, { state: 'Active', stores: [standing] });
    const one = stage(hold);
    const copy = newCopy(hold, { holds: [], rootNamespace: ROOT });
    one.client.put(LEGAL_HOLD, { ...copy, spec: { ...copy.spec, reviewAt: '2030-01-01', namespaceSelector: { all: {} }, scope: aHold([{ stores: { names: ['more'] } }, {}]).spec.scope } });
    await one.look();
    await one.look(successorRef);
    expect(await one.look()).toEqual({ kind: 'done' });
    expect(one.actions()).toEqual(['hold.enforced']);
  });

  test('stays while somebody takes the name of its copy at this moment, however late it is', async () => {
    const one = stage(aHold([{}], {}, leaving, { state: 'Active', stores: [standing] }));
    await one.clock.advance(600_000);
    one.client.refuse = (verb) => {
      if (verb === 'create') throw apiError(409, 'AlreadyExists');
    };
    expect(await one.look()).toEqual({ kind: 'requeueAfter', ms: 2_000 });
    expect(one.hold()?.metadata.finalizers).toEqual(FINALIZERS);
  });

  test('leaves the stores too when two people released its copy meanwhile', async () => {
    const one = stage(aHold([{}], {}, leaving, { state: 'Active', stores: [standing] }));
    await one.look();
    const copy = one.hold(successorRef)!;
    one.client.put(LEGAL_HOLD, { ...copy, metadata: { ...copy.metadata, creationTimestamp: '2026-01-01T00:00:00Z' }, spec: { ...copy.spec, ...byTwo } });
    await one.look(successorRef);
    expect(await one.look()).toEqual({ kind: 'done' });
    expect(one.store.calls).toEqual(['enforce:releaseHold uid-matter-1-uid-matt', 'enforce:releaseHold uid-matter-1']);
  });

  test('lets its namespace go after ten minutes; its entry stays in a store that cannot be reached until the copy takes it over', async () => {
    const one = stage(aHold([{}], {}, leaving, { state: 'Active', stores: [standing] }));
    const { writer } = one.store.connections;
    one.store.connections.writer = () => Promise.reject(new StoreError('Unreachable', 'no answer'));
    await one.look();
    await one.look(successorRef);
    await one.clock.advance(599_999);
    expect(await one.look()).toEqual({ kind: 'requeueAfter', ms: 2_000 });
    await one.clock.advance(1);
    expect(await one.look()).toEqual({ kind: 'done' });
    expect([one.hold()?.metadata.finalizers, one.standing()]).toEqual([[], [{ uid: 'uid-matter-1', items: [views] }]]);
    one.client.take(LEGAL_HOLD, ref);
    one.store.connections.writer = writer;
    await one.look(successorRef);
    expect(one.standing()).toEqual([{ uid: `uid-${successorRef.name}`, items: [views] }]);
  });

  test('goes from all stores that can be reached after ten minutes', async () => {
    const one = stage(aHold([{}], {}, leaving, { state: 'Active', stores: ['a', 'b'].map((name) => ({ ...standing, name })) }), { stores: ['a', 'b'] });
    const { writer } = one.store.connections;
    one.store.connections.writer = (store, signal) => (store.metadata.name === 'b' ? Promise.reject(new StoreError('Unreachable', 'b does not answer')) : writer(store, signal));
    await one.look();
    await one.look(successorRef);
    await one.clock.advance(600_000);
    expect(await one.look()).toEqual({ kind: 'done' });
    expect(one.standing()).toEqual([{ uid: `uid-${successorRef.name}`, items: [views] }]);
  });

  test('stays after ten minutes too while nobody has looked at its copy, which does not know yet where it has to stand', async () => {
    const one = stage(aHold([{}], {}, leaving, { state: 'Active', stores: [standing] }));
    await one.look();
    await one.clock.advance(600_000);
    expect(await one.look()).toEqual({ kind: 'requeueAfter', ms: 2_000 });
  });

  test('takes its earlier uids along when its copy is deleted as well', async () => {
    const hold = aHold([{}], {}, leaving);
    const copy = { ...newCopy(hold, { holds: [], rootNamespace: ROOT }) };
    const again = newCopy({ ...copy, metadata: { ...copy.metadata, uid: 'second' } }, { holds: [], rootNamespace: ROOT });
    expect(again.metadata).toEqual({ namespace: ROOT, name: 'matter-1-uid-matt-second', annotations: { 'dataward.io/moved-from': 'platform-db/matter-1', 'dataward.io/moved-uids': 'uid-matter-1 second' } });
    expect(newCopy(aHold([{}], {}, { name: `${'a'.repeat(47)}.${'b'.repeat(15)}`, uid: '0a1b2c3d-' }), { holds: [], rootNamespace: ROOT }).metadata.name).toBe(`${'a'.repeat(47)}-0a1b2c3d`);
  });

  test('is created anew in the root namespace too, with the selector it had', async () => {
    const selector = { namespaceSelector: { matchLabels: { team: 'web' } } };
    const one = stage(aHold([{}], selector, { ...leaving, namespace: ROOT }, { state: 'Active' }));
    await one.look({ namespace: ROOT, name: 'matter-1' });
    expect(one.hold(successorRef)?.spec.namespaceSelector).toEqual(selector.namespaceSelector);
  });

  test('has no successor when the move cannot be recorded', async () => {
    const one = stage(aHold([{}], {}, leaving));
    one.audit.broken = new Error('disk full');
    await expect(one.look()).rejects.toThrow('disk full');
    expect([one.hold(successorRef), one.hold()?.metadata.finalizers]).toEqual([undefined, FINALIZERS]);
  });

  test('right after its release still goes from the stores, because no object could lift it there later', async () => {
    const one = stage(aHold([{}], byTwo, leaving, { state: 'Active', stores: [standing] }));
    expect(await one.look()).toEqual({ kind: 'done' });
    expect([one.store.calls, one.actions(), one.hold()?.metadata.finalizers]).toEqual([['enforce:releaseHold uid-matter-1'], ['hold.released'], []]);
  });

  test('right after its release waits for a store that cannot be reached, ten minutes at most', async () => {
    const one = stage(aHold([{}], byTwo, leaving, { state: 'Active', stores: [standing] }), { unreachable: true });
    await expect(one.look()).rejects.toThrow('no answer');
    expect(one.hold()?.metadata.finalizers).toEqual(FINALIZERS);
    await one.clock.advance(600_000);
    expect(await one.look()).toEqual({ kind: 'done' });
  });

  test('long after its release asks nothing of any store', async () => {
    const one = stage(aHold([{}], byTwo, leaving, { state: 'Released', stores: [standing] }));
    await one.look();
    expect([one.store.calls, one.actions(), one.hold()?.metadata.finalizers]).toEqual([[], [], []]);
  });
});
