import { describe, expect, test } from '@jest/globals';
import type { DataStore } from '../../../../src/api/generated/dataStore.ts';
import type { LegalHold } from '../../../../src/api/generated/legalHold.ts';
import type { PurgeRun } from '../../../../src/api/generated/purgeRun.ts';
import { CONFIG_MAP, DATA_STORE, PURGE_RUN, RETENTION_POLICY } from '../../../../src/api/kinds.ts';
import { purgeRunFor } from '../../../../src/retention/apply.ts';
import { derive } from '../../../../src/retention/derive.ts';
import { observeRun, type ObserveRunContext, type RunObservation } from '../../../../src/retention/run/observe.ts';
import { canonicalJson } from '../../../../src/evidence/canonical.ts';
import type { Declarations } from '../../../../src/rules/store-rules.ts';
import { aHold, aMap, aMaximum, anInventory, aPolicy, aPurge, aStore, aTable } from '../../../support/declared.ts';
import { memoryAudit, type MemoryAudit } from '../../../support/memory-audit.ts';
import { memoryClient, type MemoryClient } from '../../../support/memory-client.ts';
import { scriptedStore, VIEWS, type ScriptedStore } from '../../../support/scripted-store.ts';
import { aPlan, aRun } from './declared-run.ts';

const NOW = Date.parse('2026-03-01T02:00:00Z');
const times = [{ event: 'Created', field: 'created_at', type: 'TimestampTZ' as const }];
const views = aMap([{ times }]);
const policy = aPolicy('general', { maximum: aMaximum('P1Y'), purge: aPurge() });
const inventory = anInventory([aTable('views', ['id', 'created_at']), aTable('clicks', ['id', 'created_at'])]);
const standing: LegalHold['status'] = { observedGeneration: 1, state: 'Active', stores: [{ namespace: 'platform-db', name: 'analytics', enforcedSince: '2026-01-01T00:00:00Z' }] };

interface Stage {
  client: MemoryClient;
  declared: Declarations;
  store: ScriptedStore;
  audit: MemoryAudit;
  context: ObserveRunContext;
}

/** Plans a run, changes something, looks again. */
async function lookAfter(change: (stage: Stage) => void = () => {}, status?: PurgeRun['status']): Promise<RunObservation & { run: PurgeRun; opened: boolean }> {
  const declared: Declarations = { maps: [views], policies: [policy], holds: [], namespaces: new Map([['platform-db', {}]]), rootNamespace: 'dataward-system' };
  const store = scriptedStore({ inventory });
  const reader = await store.connections.reader(aStore(), 'observe');
  const planned = purgeRunFor(policy, aStore(), (await derive(aStore(), policy, declared, reader, NOW))[0]!);
  await reader.close();
  const run: PurgeRun = { ...planned, metadata: { ...planned.metadata, uid: 'uid-run' }, ...(status ? { status } : {}) };
  const client = memoryClient([[PURGE_RUN, run], [RETENTION_POLICY, policy], [DATA_STORE, aStore()]]);
  const audit = memoryAudit();
  const connections = { ...store.connections };
  let opened = false;
  connections.reader = (...how) => {
    opened = true;
    return store.connections.reader(...how);
  };
  const context: ObserveRunContext = { client, connections, declarations: { read: async () => declared }, audit, rootNamespace: 'dataward-system', owner: 'us', frozen: false, now: () => NOW, signal: new AbortController().signal };
  change({ client, declared, store, audit, context });
  try {
    return { ...(await observeRun(run, context)), run, opened };
  } finally {
    expect(store.open()).toBe(0);
  }
}

const FAILING = { count: 3, since: '2026-03-01T01:50:00Z', deleted: 0 };
const CLICKS = 'platform-db/web/clicks';
const put = (changes: object): ((stage: Stage) => void) => ({ client }) => client.put(RETENTION_POLICY, { ...policy, metadata: { ...policy.metadata, ...changes } });
const otherRun = (state: string, changes: { store?: string; namespace?: string; collection?: string; also?: string; startedAt?: string; failing?: typeof FAILING } = {}): ((stage: Stage) => void) => ({ client }) => {
  const plan = aPlan({ steps: [{ ...aPlan().steps[0]!, ...(changes.collection ? { collection: changes.collection } : {}) }, ...(changes.also ? [{ ...aPlan().steps[0]!, order: 2, collection: changes.also }] : [])] });
  const other = aRun({ store: changes.store ?? 'analytics', plan }, { state, startedAt: changes.startedAt ?? '2026-03-01T02:00:00Z', ...(changes.failing ? { failing: changes.failing } : {}) } as PurgeRun['status'], 'other-1');
  client.put(PURGE_RUN, { ...other, metadata: { ...other.metadata, namespace: changes.namespace ?? 'platform-db' } });
};
const inFence = (revision: number): ((stage: Stage) => void) => ({ store }) => void (store.script.fence = { owner: 'us', marker: 'm', holdsRevision: 1, holds: [{ uid: 'uid-matter-1', name: 'platform-db/matter-1', revision, items: [] }] });
const declareHold = (generation = 1, status: LegalHold['status'] = standing): ((stage: Stage) => void) => ({ declared }) => void declared.holds.push(aHold([{}], {}, { generation }, { ...status, observedGeneration: generation }));

describe('looking again at a run', () => {
  test('finds nothing in its way when nothing changed', async () => {
    const { input, executed, run } = await lookAfter();
    expect(input).toMatchObject({ target: run.spec.plan.target, pendingHolds: [], now: NOW });
    for (const name of ['frozen', 'auditProblem', 'busy', 'targetProblem', 'wider', 'replaced', 'unresolved', 'undue', 'foreignOwner']) expect(input).not.toHaveProperty(name);
    expect(executed?.request).toMatchObject({ targets: [VIEWS], now: run.spec.plan.asOf });
  });

  test.each<[string, (stage: Stage) => void]>([
    ['is gone', ({ client }) => client.take(RETENTION_POLICY, { namespace: 'platform-db', name: 'general' })],
    ['was created again under its name', put({ uid: 'uid-other' })],
    ['is being deleted', put({ deletionTimestamp: '2026-03-01T00:00:00Z' })],
  ])('has no policy when it %s, and does not open the store', async (_, change) => {
    const { input, policy: found, executed, opened } = await lookAfter(change);
    expect([input.policy, found, executed, opened]).toEqual([undefined, undefined, undefined, false]);
  });

  test('goes by the policy as the rules were read from, where it was changed between two reads', async () => {
    const { input, policy: found } = await lookAfter(({ declared }) => void (declared.policies[0] = { ...policy, metadata: { ...policy.metadata, generation: 7 } }));
    expect([input.policy?.metadata.generation, found?.metadata.generation]).toEqual([7, 7]);
  });

  test('has nothing to delete, count or certify by where the rules reach more than was approved', async () => {
    const { executed, input } = await lookAfter(({ declared }) => void (declared.policies[0] = { ...policy, spec: { ...policy.spec, maximum: aMaximum('P6M') } }));
    expect([executed, input.wider !== undefined]).toEqual([undefined, true]);
  });

  test('has no store when it is gone', async () => {
    expect((await lookAfter(({ client }) => client.take(DATA_STORE, { namespace: 'platform-db', name: 'analytics' }))).opened).toBe(false);
  });

  test.each<[string, (stage: Stage) => void, object]>([
    ['a freeze of the cluster', ({ client }) => client.put(CONFIG_MAP, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'dataward-freeze', namespace: 'platform-db' } }), { frozen: expect.stringContaining('ConfigMap platform-db/dataward-freeze') }],
    ['a freeze in the store', ({ store }) => void (store.script.fence = { ...store.script.fence!, frozen: { by: 'dba', reason: 'migration', at: '' } }), { frozen: 'frozen in the store by dba: migration' }],
    ['the flag of the operator', ({ context }) => void (context.frozen = true), { frozen: expect.stringContaining('--frozen') }],
    ['an audit log that cannot write', ({ audit }) => void (audit.broken = new Error('disk full')), { auditProblem: 'disk full' }],
    ['another owner', ({ store }) => void (store.script.fence!.owner = 'them'), { foreignOwner: 'them' }],
    ['another server', ({ store }) => void (store.script.identity.fingerprint = 'sha256:other'), { target: 'sha256:other' }],
    ['a store that was another before', ({ client }) => client.put(DATA_STORE, { ...aStore(), status: { identity: { fingerprint: 'sha256:before' } } } as DataStore), { targetProblem: expect.stringContaining('another store answers') }],
    ['a maximum that is shorter now', ({ declared }) => void (declared.policies[0] = { ...policy, spec: { ...policy.spec, maximum: aMaximum('P6M') } }), { wider: expect.stringContaining('P1Y to P6M') }],
    ['another table under a planned name', ({ store }) => void (store.script.inventory = anInventory(store.script.inventory.tables.map((table) => ({ ...table, oid: '777' })))), { replaced: expect.stringContaining('public.views is another table than the one the plan was made on (oid 777, then views)') }],
    ['a run at work in the store', otherRun('Running'), { busy: 'other-1' }],
    ['a run in the store that is verified', otherRun('Verifying'), { busy: 'other-1' }],
    ['a run in the store that paused', otherRun('Paused'), { busy: 'other-1' }],
    ['a run in the store that paused over this collection among others', otherRun('Paused', { collection: 'platform-db/web/clicks', also: VIEWS }), { busy: 'other-1' }],
    ['a run at work on other collections', otherRun('Running', { collection: 'platform-db/web/clicks' }), { busy: 'other-1' }],
    ['a planned table that is gone', ({ store }) => void (store.script.inventory = anInventory([])), { unresolved: { reason: 'MissingTable', message: expect.stringContaining('views') } }],
    ['a planned collection that no map declares', ({ declared }) => void declared.maps.pop(), { undue: `no data map of the store declares ${VIEWS} any more` }],
    ['a planned collection that no map declares, although another is due', ({ declared }) => void (declared.maps[0] = aMap([{ name: 'clicks', table: { schema: 'public', name: 'clicks' }, times }], {}, views.metadata)), { undue: `no data map of the store declares ${VIEWS} any more` }],
    ['a planned collection that no map declares, although the table of another is gone', ({ declared }) => void (declared.maps[0] = aMap([{ name: 'gone', table: { schema: 'public', name: 'gone' }, times }], {}, views.metadata)), { undue: `no data map of the store declares ${VIEWS} any more` }],
    ['a policy that selects it no more', ({ declared }) => void (declared.policies[0] = { ...policy, spec: { ...policy.spec, collections: { categories: ['user.contact'] } } }), { undue: `the policy no longer makes ${VIEWS} due` }],
  ])('finds %s', async (_, change, found) => {
    expect((await lookAfter(change)).input).toMatchObject(found);
  });

  describe('after its policy was approved, run and verified before', () => {
    const ask = async (store: object, at: string): Promise<RunObservation> => {
      const { executed } = await lookAfter();
      const approved = [{ collection: VIEWS, rule: canonicalJson(executed!.steps[0]!.normal), cutoff: '2025-02-27', run: 'uid-before', at }];
      return lookAfter((stage) => {
        stage.store.script.approved = approved;
        stage.client.put(DATA_STORE, { ...aStore(), status: store } as DataStore);
      });
    };
    const restored = (time: string): object => ({ conditions: [{ type: 'Restored', status: 'True', reason: 'Restored', message: '', lastTransitionTime: time }] });

    test.each<[string, object, string, string[]]>([
      ['asks nobody again', {}, '2026-02-28T02:00:00Z', []],
      ['asks a person when the store was put back after that', restored('2026-02-28T09:00:00Z'), '2026-02-28T02:00:00Z', ['FirstRun']],
      ['asks nobody when the store was put back before that', restored('2026-02-27T09:00:00Z'), '2026-02-28T02:00:00Z', []],
    ])('%s', async (_, store, at, reasons) => {
      expect((await ask(store, at)).input.reasons.map(({ reason }) => reason)).toEqual(reasons);
    });

    test('does not go on with a plan of before the store was put back', async () => {
      expect((await ask(restored('2026-03-01T02:00:01Z'), '2026-02-28T02:00:00Z')).input).toMatchObject({ restored: true });
      expect((await ask(restored('2026-02-27T09:00:00Z'), '2026-02-28T02:00:00Z')).input).not.toHaveProperty('restored');
    });
  });

  test.each<[string, (stage: Stage) => void]>([
    ['that only waits', otherRun('Waiting')],
    ['that is over', otherRun('Succeeded')],
    ['that paused over other collections', otherRun('Paused', { collection: 'platform-db/web/clicks' })],
    ['that works on other collections and fails at it', otherRun('Running', { collection: 'platform-db/web/clicks', failing: FAILING })],
    ['whose result cannot be verified, of other collections', otherRun('Verifying', { collection: 'platform-db/web/clicks', failing: FAILING })],
    ['in another store', otherRun('Running', { store: 'other' })],
    ['in a store of that name elsewhere', otherRun('Running', { namespace: 'shop' })],
  ])('does not wait for a run %s', async (_, change) => {
    expect((await lookAfter(change)).input).not.toHaveProperty('busy');
  });

  test.each<[string, readonly ((stage: Stage) => void)[], string[]]>([
    ['stands by its status and in the store', [declareHold(), inFence(1)], []],
    ['stands there in a newer revision', [declareHold(), inFence(2)], []],
    ['was lost in the store, whatever its status says', [declareHold()], ['platform-db/matter-1']],
    ['stands there in an older revision', [declareHold(2), inFence(1)], ['platform-db/matter-1']],
    ['is declared in a store without our schema', [declareHold(), ({ store }) => void (store.script.fence = undefined)], ['platform-db/matter-1']],
    ['is in the store but not yet in its own status', [declareHold(1, {}), inFence(1)], ['platform-db/matter-1']],
    ['was lifted by two people', [({ declared }) => void declared.holds.push(aHold([{}], { release: { request: { by: 'a' }, approval: { by: 'b' } } } as never))], []],
  ])('waits for a hold unless it stands: it %s', async (_, changes, pending) => {
    expect((await lookAfter((stage) => changes.forEach((change) => change(stage)))).input.pendingHolds).toEqual(pending);
  });

  test.each<[string, string, string | undefined]>([
    ['waits for one that began before', '2026-03-01T02:00:00Z', 'other-1'],
    ['goes on where the other began later, which waits then', '2026-03-01T02:00:02Z', undefined],
  ])('and it has begun while another run of the store works: it %s', async (_, startedAt, busy) => {
    for (const state of ['Paused', 'Running'] as const) {
      const { input } = await lookAfter(otherRun('Running', { startedAt }), { state, startedAt: '2026-03-01T02:00:01Z' });
      expect([state, input.busy]).toEqual([state, busy]);
    }
  });

  test.each<[string, Parameters<typeof otherRun>[1], object, string | undefined]>([
    ['waits for one of other collections at work, though that began later', { collection: CLICKS, startedAt: '2026-03-01T02:00:09Z' }, {}, 'other-1'],
    ['does not wait for one of other collections that stands back too', { collection: CLICKS, failing: FAILING }, {}, undefined],
    ['does not wait for one of its collections that began later, since that waits for it', { startedAt: '2026-03-01T02:00:09Z' }, {}, undefined],
    ['waits for one of its collections that began before', {}, {}, 'other-1'],
    ['waits in the same way while its result cannot be verified', { collection: CLICKS, startedAt: '2026-03-01T02:00:09Z' }, { state: 'Verifying' }, 'other-1'],
  ])('and it stands back because its own work fails: it %s', async (_, other, status, busy) => {
    const { input } = await lookAfter(otherRun('Running', other), { state: 'Paused', startedAt: '2026-03-01T02:00:01Z', failing: FAILING, ...status });
    expect(input.busy).toBe(busy);
  });

  test('leaves to a plan of its own what became due since', async () => {
    const { executed } = await lookAfter(({ declared }) => void (declared.maps[0] = aMap([{ times }, { name: 'clicks', table: { schema: 'public', name: 'clicks' }, times }], {}, views.metadata)));
    expect(executed?.request.targets).toEqual([VIEWS]);
    expect(executed?.request.rules.map((rule) => [rule.collection, rule.due !== undefined])).toEqual([[VIEWS, true], ['platform-db/web/clicks', false]]);
  });

  test('decides nothing while the clocks differ, and closes the connection', async () => {
    await expect(lookAfter(({ context }) => void (context.now = () => NOW + 61_000))).rejects.toMatchObject({ reason: 'ClockSkew' });
  });
});
