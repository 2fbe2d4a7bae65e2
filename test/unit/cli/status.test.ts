import { describe, expect, test } from '@jest/globals';
import type { DataStoreStatus } from '../../../src/api/generated/dataStore.ts';
import type { LegalHoldStatus } from '../../../src/api/generated/legalHold.ts';
import { CONFIG_MAP, DATA_STORE, LEGAL_HOLD, PURGE_RUN, RETENTION_POLICY } from '../../../src/api/kinds.ts';
import type { Condition, KindRef, KubeObject } from '../../../src/api/object.ts';
import type { Access } from '../../../src/runtime/client.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { runCli } from '../../support/cli.ts';
import { aHold, aMaximum, aMinimum, aPolicy, aPurge, aStore } from '../../support/declared.ts';
import { apiError, memoryClient } from '../../support/memory-client.ts';
import { aRun } from '../retention/run/declared-run.ts';

const NOW = Date.parse('2026-03-02T12:00:00Z');
const condition = (type: string, status: Condition['status'], message = 'so'): Condition => ({ type, status, reason: 'Because', message, lastTransitionTime: '2026-03-01T00:00:00Z' });

type Declared = readonly [KindRef, KubeObject];
const standing: DataStoreStatus = {
  observedGeneration: 1,
  validUntil: '2026-03-02T12:00:01Z',
  conditions: [condition('Ready', 'True'), condition('Compliant', 'True')],
  transport: { version: 'TLSv1.3' },
  retention: { due: 1_234_567, held: 3, blockedByReference: 1, indeterminate: 0 },
  coverage: { unclassified: 2 },
};
const store = (status?: DataStoreStatus): Declared => [DATA_STORE, aStore({}, {}, status)];
const hold = (state?: LegalHoldStatus['state'], ...conditions: Condition[]): Declared => [LEGAL_HOLD, { ...aHold([{}]), ...(state ? { status: { state, storesEnforced: 1, storesTotal: 2, conditions } } : {}) }];
const freeze = (namespace: string): Declared => [CONFIG_MAP, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name: 'dataward-freeze' }, data: { by: 'alice', reason: 'incident 7' } } as KubeObject];
const run = (state?: NonNullable<ReturnType<typeof aRun>['status']>['state']): Declared => [PURGE_RUN, aRun({}, state ? { state, why: 'one approval is missing' } : undefined)];

type Page = Record<'freezes' | 'stores' | 'policies' | 'holds' | 'runs', Record<string, string>[]>;

async function status(declared: readonly Declared[], ...flags: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const client = memoryClient(declared);
  client.close = () => {};
  return runCli(['status', ...flags], { client: () => client, cluster: async () => ({ access: {} as Access, server: 'https://memory', from: 'a test', namespace: 'platform-db' }), clock: { ...systemClock, now: () => NOW } });
}

const pageOf = async (...declared: readonly Declared[]): Promise<Page> => JSON.parse((await status(declared, '-o', 'json')).stdout) as Page;

describe('status ends with', () => {
  test.each<{ what: string; declared: Declared[]; code: number }>([
    { what: 'a store that is ready and compliant', declared: [store(standing)], code: 0 },
    { what: 'a store nobody has looked at', declared: [store()], code: 1 },
    { what: 'a store whose facts are past their time', declared: [store({ ...standing, validUntil: '2026-03-02T12:00:00Z' })], code: 1 },
    { what: 'a store whose facts are of an earlier spec', declared: [store({ ...standing, observedGeneration: 0 })], code: 1 },
    { what: 'a store nobody judged', declared: [store({ ...standing, conditions: [condition('Ready', 'True')] })], code: 1 },
    { what: 'a store of which compliance is unknown', declared: [store({ ...standing, conditions: [condition('Ready', 'True'), condition('Compliant', 'Unknown')] })], code: 1 },
    { what: 'a store that is not ready', declared: [store({ ...standing, conditions: [condition('Ready', 'False'), condition('Compliant', 'True')] })], code: 1 },
    { what: 'a hold that stands', declared: [hold('Active')], code: 0 },
    { what: 'a hold that stands and keeps nothing', declared: [hold('Active', condition('AsWritten', 'False'))], code: 1 },
    { what: 'a hold that stands as written', declared: [hold('Active', condition('AsWritten', 'True'))], code: 0 },
    { what: 'a hold that was released, whatever it covered', declared: [hold('Released', condition('AsWritten', 'False'))], code: 0 },
    { what: 'a store that is as it should be, and frozen', declared: [store(standing), freeze('platform-db')], code: 0 },
    { what: 'a hold that was released', declared: [hold('Released')], code: 0 },
    { what: 'a hold that does not stand everywhere', declared: [hold('Pending')], code: 1 },
    { what: 'a hold nobody has looked at', declared: [hold()], code: 1 },
    { what: 'a run that waits for a person', declared: [run('AwaitingApproval')], code: 1 },
    { what: 'a run that works', declared: [run('Running')], code: 0 },
    { what: 'a run nobody has looked at', declared: [run()], code: 0 },
    { what: 'one of two that is not as it should be', declared: [store(standing), hold('Pending')], code: 1 },
  ])('$code for $what', async ({ declared, code }) => {
    expect(await status(declared)).toMatchObject({ code, stderr: '' });
  });

  test('0 and a remark when nothing is declared', async () => {
    expect(await status([])).toEqual({ code: 0, stdout: '', stderr: 'nothing is declared in namespace platform-db; -A shows all namespaces\n' });
    expect(await status([], '-A')).toEqual({ code: 0, stdout: '', stderr: 'nothing is declared in any namespace\n' });
    expect(await status([store(standing)], '-n', 'shop')).toMatchObject({ code: 0, stderr: expect.stringContaining('namespace shop') });
  });
});

describe('a line of', () => {
  test('a store has its facts, with commas', async () => {
    const { stores } = await pageOf(store(standing));
    expect(stores).toEqual([{ store: 'platform-db/analytics', ready: 'True', compliant: 'True', tls: 'TLSv1.3', due: '1,234,567', held: '3', blocked: '1', undated: '0', unclassified: '2', validUntil: '2026-03-02T12:00:01Z', why: '' }]);
  });

  test('a store whose facts are over has none, but when they were over and what is in the way', async () => {
    const over = { ...standing, validUntil: '2026-03-02T11:00:00Z', conditions: [condition('Ready', 'False', 'the server does not answer'), condition('Compliant', 'True')] };
    expect((await pageOf(store(over))).stores).toEqual([{ store: 'platform-db/analytics', ready: 'Unknown', compliant: 'Unknown', tls: 'Unknown', due: 'Unknown', held: 'Unknown', blocked: 'Unknown', undated: 'Unknown', unclassified: 'Unknown', validUntil: '2026-03-02T11:00:00Z', why: 'Because: the server does not answer' }]);
  });

  test('a store does not make zero of what was not counted', async () => {
    const { retention: _retention, coverage: _coverage, ...rest } = standing;
    expect((await pageOf(store(rest))).stores[0]).toMatchObject({ due: 'Unknown', held: 'Unknown', blocked: 'Unknown', undated: 'Unknown', unclassified: 'Unknown' });
    expect((await pageOf(store({ ...standing, retention: { due: 4 } }))).stores[0]).toMatchObject({ due: '4', held: 'unknown' });
  });

  test('a policy says what it does and from when on, and that it is suspended before its mode', async () => {
    const policy = aPolicy('general', { maximum: aMaximum('P25M'), minimum: aMinimum('P8Y', { from: 'Closed' }), purge: aPurge() });
    expect((await pageOf([RETENTION_POLICY, policy])).policies).toEqual([{ policy: 'platform-db/general', mode: 'Apply', minimum: 'P8Y from Closed', maximum: 'P25M from Created', collections: 'unknown', nextRun: '', why: '' }]);
    const suspended = aPolicy('general', { purge: aPurge({ suspend: true }) });
    expect((await pageOf([RETENTION_POLICY, suspended])).policies[0]).toMatchObject({ mode: 'Suspended', minimum: '', maximum: '' });
  });

  test('a hold counts the stores it stands in, none when nobody has looked', async () => {
    expect((await pageOf(hold('Pending'))).holds[0]).toMatchObject({ state: 'Pending', stores: '1/2' });
    expect((await pageOf(hold())).holds[0]).toMatchObject({ state: 'Unknown', stores: '0/0', asWritten: 'Unknown' });
  });

  test('a hold that does not cover what it says says why, until it is released', async () => {
    const nothing = condition('AsWritten', 'False', 'it keeps no row');
    expect((await pageOf(hold('Active', condition('Ready', 'True'), nothing))).holds[0]).toMatchObject({ asWritten: 'False', why: 'Because: it keeps no row' });
    expect((await pageOf(hold('Pending', condition('Ready', 'False', 'no store'), nothing))).holds[0]).toMatchObject({ why: 'Because: no store' });
    expect((await pageOf(hold('Released', condition('Ready', 'True'), nothing))).holds[0]).toMatchObject({ asWritten: '', why: '' });
  });

  test('a policy that is ready and selects nothing, or does other than it says, says so', async () => {
    const policy = (...conditions: Condition[]): Declared => [RETENTION_POLICY, { ...aPolicy('general', { maximum: aMaximum('P1Y') }), status: { conditions } } as KubeObject];
    const idle: Condition = { ...condition('Ready', 'True', 'no store is selected'), reason: 'NothingSelected' };
    expect((await pageOf(policy(idle))).policies[0]).toMatchObject({ why: 'NothingSelected: no store is selected' });
    expect((await pageOf(policy(condition('Ready', 'True'), condition('AsWritten', 'False', 'it lost')))).policies[0]).toMatchObject({ why: 'Because: it lost' });
    expect((await pageOf(policy(condition('Ready', 'True'), condition('AsWritten', 'True')))).policies[0]).toMatchObject({ why: '' });
  });

  test('a freeze says what it stops, who made it and why: of the cluster, the namespace and the store itself', async () => {
    const frozen = store({ ...standing, conditions: [...standing.conditions!, condition('Frozen', 'True', 'frozen in the store by oncall')] });
    expect((await pageOf(freeze('dataward-system'), freeze('platform-db'), freeze('shop'), frozen)).freezes).toEqual([
      { freeze: 'ConfigMap dataward-system/dataward-freeze', stops: 'all stores', why: 'frozen by alice: incident 7' },
      { freeze: 'ConfigMap platform-db/dataward-freeze', stops: 'stores of namespace platform-db', why: 'frozen by alice: incident 7' },
      { freeze: 'DataStore platform-db/analytics', stops: 'store platform-db/analytics', why: 'frozen in the store by oncall' },
    ]);
    expect((await pageOf(store(standing))).freezes).toEqual([]);
    const elsewhere = await status([freeze('ops'), freeze('platform-db')], '-A', '--root-namespace', 'ops', '-o', 'json');
    expect((JSON.parse(elsewhere.stdout) as Page).freezes.map(({ freeze: which }) => which)).toEqual(['ConfigMap ops/dataward-freeze']);
  });

  test('a freeze that may not be read is unknown', async () => {
    const client = memoryClient([]);
    client.refuse = (_, kind) => {
      if (kind === CONFIG_MAP) throw apiError(403, 'Forbidden', 'carol cannot get configmaps');
    };
    client.close = () => {};
    const page = await runCli(['status', '-n', 'dataward-system', '-o', 'json'], { client: () => client, cluster: async () => ({ access: {} as Access, server: 'https://memory', from: 'a test', namespace: 'platform-db' }), clock: { ...systemClock, now: () => NOW } });
    expect((JSON.parse(page.stdout) as Page).freezes).toMatchObject([{ freeze: 'ConfigMap dataward-system/dataward-freeze', why: 'Unknown: it cannot be read (carol cannot get configmaps)' }]);
  });

  test('a run says what it waits for', async () => {
    expect((await pageOf(run('AwaitingApproval'))).runs).toEqual([{ run: 'platform-db/general-1', store: 'analytics', state: 'AwaitingApproval', deleted: '0', total: 'unknown', level: '', why: 'one approval is missing' }]);
  });
});
