import { describe, expect, test } from '@jest/globals';
import type { PurgeRun } from '../../../src/api/generated/purgeRun.ts';
import { PURGE_RUN } from '../../../src/api/kinds.ts';
import { planStore, purgeRunFor, type PlanContext, type PlanOutcome } from '../../../src/retention/apply.ts';
import { agreeOnNow } from '../../../src/retention/derive.ts';
import { planDigest } from '../../../src/retention/plan.ts';
import type { Declarations } from '../../../src/rules/store-rules.ts';
import { StoreError } from '../../../src/stores/errors.ts';
import type { StoreReader } from '../../../src/stores/port.ts';
import type { Refusal } from '../../../src/stores/purging.ts';
import { aMap, aMaximum, anInventory, aPolicy, aPurge, aStore, aTable, refersTo } from '../../support/declared.ts';
import { memoryAudit, type MemoryAudit } from '../../support/memory-audit.ts';
import { apiError, memoryClient, type MemoryClient } from '../../support/memory-client.ts';
import { aForecast, aStep, scriptedStore, VIEWS, type ScriptedStore, type StoreScript } from '../../support/scripted-store.ts';
import { aPlan, aRun } from './run/declared-run.ts';

const NOW = Date.parse('2026-03-01T02:00:00Z');
const views = aMap([{ times: [{ event: 'Created', field: 'created_at', type: 'TimestampTZ' }] }]);
const policy = aPolicy('general', { maximum: aMaximum('P1Y'), purge: aPurge() });
const declared: Declarations = { maps: [views], policies: [policy], holds: [], namespaces: new Map([['platform-db', {}]]), rootNamespace: 'dataward-system' };
const due: Partial<StoreScript> = { inventory: anInventory([aTable('views', ['id', 'created_at'])]) };
const withPlan = (rows: number, changes: Partial<StoreScript['plan']> = {}): Partial<StoreScript> => ({ ...due, plan: { ...scriptedStore().script.plan, forecast: [aForecast(rows)], ...changes } });

const CLICKS = 'platform-db/web/clicks';
/** A run of the slot before. */
const before = (...how: Parameters<typeof aRun>): PurgeRun => ({ ...aRun(...how), metadata: { ...aRun(...how).metadata, creationTimestamp: '2026-02-28T02:00:01Z' } });

interface Planned {
  /** The first, where a test is about one. */
  outcome: PlanOutcome;
  outcomes: PlanOutcome[];
  client: MemoryClient;
  audit: MemoryAudit;
  store: ScriptedStore;
  runs: PurgeRun[];
}

async function plan(script: Partial<StoreScript>, changes: { runs?: PurgeRun[]; declared?: Declarations; before?: (stage: { client: MemoryClient; audit: MemoryAudit }) => void; context?: Partial<PlanContext> } = {}): Promise<Planned> {
  const client = memoryClient();
  const audit = memoryAudit();
  const store = scriptedStore(script);
  changes.before?.({ client, audit });
  const context: PlanContext = { client, audit, connections: store.connections, actor: 'dataward', slot: NOW, now: () => NOW, signal: new AbortController().signal, ...changes.context };
  const outcomes = await planStore(policy, aStore(), changes.declared ?? declared, changes.runs ?? [], context);
  const outcome = outcomes[0]!;
  expect(store.open()).toBe(0);
  client.refuse = () => {};
  return { outcome, outcomes, client, audit, store, runs: await client.list<PurgeRun>(PURGE_RUN) };
}

describe('planning a store', () => {
  test('writes a run beside the store whose digest is that of its plan, after it is in the audit log', async () => {
    const { outcome, audit, runs } = await plan(withPlan(12));
    const [run] = runs;
    expect(outcome).toEqual({ store: 'analytics', made: 'Run', name: run?.metadata.name });
    expect(run).toMatchObject({
      metadata: { namespace: 'platform-db', finalizers: ['dataward.io/protect'], labels: { 'dataward.io/policy': 'general', 'dataward.io/policy-namespace': 'platform-db', 'dataward.io/policy-uid': 'uid-general' } },
      spec: { store: 'analytics', forecast: { steps: [{ collection: VIEWS, due: 12 }] }, plan: { target: 'sha256:target', asOf: '2026-03-01T02:00:00.000Z', steps: [{ collection: VIEWS, policy: 'platform-db/general', cutoff: expect.stringMatching(/^2025-03-01/) }] } },
    });
    expect(run?.spec.planDigest).toBe(planDigest(run!.spec.plan));
    expect(audit.entries).toMatchObject([{ action: 'purge.planned', object: { name: run?.metadata.name }, refs: { planDigest: run?.spec.planDigest, rows: 12, steps: 1 } }]);
  });

  test('makes the same run again after a crash, and takes the one that is there', async () => {
    const [first] = (await plan(withPlan(12))).runs;
    const again = await plan(withPlan(12), { before: ({ client }) => client.put(PURGE_RUN, first!) });
    expect(again.outcome).toEqual({ store: 'analytics', made: 'Run', name: first?.metadata.name });
    expect(again.runs).toHaveLength(1);
  });

  test('writes no run that is not in the audit log', async () => {
    const { outcome, runs } = await plan(withPlan(12), { before: ({ audit }) => void (audit.broken = new Error('disk full')) });
    expect([outcome.made, runs]).toEqual(['Failure', []]);
  });

  test.each<[string, Partial<StoreScript>, object]>([
    ['no row is due', withPlan(0), { made: 'Nothing', why: 'no row is due' }],
    ['there is no step', withPlan(12, { steps: [] }), { made: 'Nothing', why: 'no row is due' }],
    ['the driver refuses', withPlan(12, { refusals: [{ reason: 'ForeignKeyWithoutIndex', collection: VIEWS, message: 'clicks_fkey has no index' }] }), { made: 'Failure', failure: { reason: 'SideEffect', message: `${VIEWS}: clicks_fkey has no index` } }],
    ['the clocks differ', { ...withPlan(12), clock: '2026-03-01T02:01:01Z' }, { made: 'Failure', failure: { reason: 'ClockSkew', message: expect.stringContaining('differ by 61 s') } }],
  ])('makes no run when %s', async (_, script, outcome) => {
    const planned = await plan(script);
    expect(planned.outcome).toEqual({ store: 'analytics', ...outcome });
    expect([planned.runs, planned.audit.entries]).toEqual([[], []]);
  });

  test('makes a run without a due row where the drop of a partition is not finished: nothing else would finish it', async () => {
    const { outcome, runs } = await plan(withPlan(0, { forecast: [aForecast(0, { unfinished: [{ schema: 'public', name: 'views_2023' }] })] }));
    expect(outcome.made).toBe('Run');
    expect(runs[0]?.spec.forecast.steps).toEqual([aForecast(0)]);
  });

  test.each(['Waiting', 'AwaitingApproval', 'Running', 'Paused', 'Verifying', undefined] as const)('leaves an open run alone that is %s', async (state) => {
    const { outcome, runs } = await plan(withPlan(12), { runs: [before({}, state ? { state } : undefined)] });
    expect(outcome).toEqual({ store: 'analytics', made: 'Nothing', why: 'PurgeRun general-1 is still open' });
    expect(runs).toEqual([]);
  });

  test('leaves alone what was planned in this very slot, however it ended: another group may be why the slot is tried again', async () => {
    const { outcome } = await plan(withPlan(12), { runs: [aRun({}, { state: 'Failed' })] });
    expect(outcome).toEqual({ store: 'analytics', made: 'Nothing', why: 'PurgeRun general-1 was planned in this slot' });
  });

  test.each<[string, PurgeRun]>([
    ['of an earlier slot is over', before({}, { state: 'Succeeded' })],
    ['is for another store', aRun({ store: 'other' })],
    ['is about other collections', aRun({ plan: aPlan({ steps: [{ ...aPlan().steps[0]!, collection: CLICKS }] }) })],
    ['is for a store of that name elsewhere', { ...aRun(), metadata: { ...aRun().metadata, namespace: 'shop' } }],
  ])('plans although a run %s', async (_, run) => {
    expect((await plan(withPlan(12), { runs: [run] })).outcome.made).toBe('Run');
  });

  test('says in the words of the list why it could not', async () => {
    const reader = (): Promise<never> => Promise.reject(new StoreError('AuthenticationFailed', 'db.example refused the password'));
    expect((await plan({}, { context: { connections: { reader } as unknown as PlanContext['connections'] } })).outcome).toMatchObject({ made: 'Failure', failure: { reason: 'AuthenticationFailed' } });
    const refused = await plan(withPlan(12), { before: ({ client }) => void (client.refuse = (verb) => { if (verb === 'create') throw apiError(403, 'Forbidden', 'may not create'); }) });
    expect(refused.outcome).toMatchObject({ made: 'Failure', failure: { reason: 'ReadFailed', message: 'may not create; grant this right, deploy/rbac.yaml has those of the operator' } });
  });
});

describe('two collections of a store', () => {
  const times = [{ event: 'Created', field: 'created_at', type: 'TimestampTZ' as const }];
  const both: Declarations = { ...declared, maps: [aMap([{ times }, { name: 'clicks', table: { schema: 'public', name: 'clicks' }, times }])] };
  const tables = (...keys: ReturnType<typeof refersTo>[]): Partial<StoreScript> => ({ inventory: anInventory([aTable('views', ['id', 'created_at']), aTable('clicks', ['id', 'created_at', 'view'], { foreignKeys: keys })]) });
  const clicks = aStep({ collection: CLICKS, table: { schema: 'public', name: 'clicks' } });
  const twoSteps = (refusals: Refusal[] = []): Partial<StoreScript> => withPlan(12, { steps: [clicks, aStep({ order: 2 })], forecast: [aForecast(5, { collection: CLICKS }), aForecast(12)], refusals });
  const stepsOf = (runs: readonly PurgeRun[]): string[][] => runs.map((run) => run.spec.plan.steps.map((step) => `${step.order} ${step.collection}`)).toSorted();
  const unindexed: Refusal = { reason: 'ForeignKeyWithoutIndex', collection: CLICKS, message: 'no index' };

  test('are two runs with an approval each where no foreign key joins them', async () => {
    const { outcomes, runs, audit } = await plan({ ...twoSteps(), ...tables() }, { declared: both });
    expect(outcomes.map((outcome) => outcome.made)).toEqual(['Run', 'Run']);
    expect(stepsOf(runs)).toEqual([[`1 ${CLICKS}`], [`1 ${VIEWS}`]]);
    expect(new Set(runs.map((run) => run.spec.planDigest)).size).toBe(2);
    expect(runs.map((run) => run.spec.forecast.steps.map((step) => step.due)).toSorted()).toEqual([[12], [5]]);
    expect(audit.entries.map((entry) => entry.refs?.['rows']).toSorted()).toEqual([12, 5]);
  });

  test('are one run, children first, where a foreign key joins them', async () => {
    expect(stepsOf((await plan({ ...twoSteps(), ...tables(refersTo('views', 'view')) }, { declared: both })).runs)).toEqual([[`1 ${CLICKS}`, `2 ${VIEWS}`]]);
  });

  test('do not stop each other when one is refused', async () => {
    const { outcomes, runs } = await plan({ ...twoSteps([unindexed]), ...tables() }, { declared: both });
    expect(outcomes).toMatchObject([{ made: 'Failure', failure: { reason: 'SideEffect', message: `${CLICKS}: no index` } }, { made: 'Run' }]);
    expect(stepsOf(runs)).toEqual([[`1 ${VIEWS}`]]);
  });

  test('are both stopped by a refusal that names neither', async () => {
    const { outcomes, runs } = await plan({ ...twoSteps([{ ...unindexed, collection: 'platform-db/web/other' }]), ...tables() }, { declared: both });
    expect([outcomes.map((outcome) => outcome.made), runs]).toEqual([['Failure', 'Failure'], []]);
  });

  test('do not wait for each other: one has an open run, the other is planned', async () => {
    const { outcomes, runs } = await plan({ ...twoSteps(), ...tables() }, { declared: both, runs: [before()] });
    expect(outcomes.map((outcome) => outcome.made)).toEqual(['Run', 'Nothing']);
    expect(stepsOf(runs)).toEqual([[`1 ${CLICKS}`]]);
  });

  test('wait together for the run of one when a foreign key joined them since', async () => {
    const { outcomes, runs } = await plan({ ...twoSteps(), ...tables(refersTo('views', 'view')) }, { declared: both, runs: [before()] });
    expect([outcomes, runs]).toMatchObject([[{ made: 'Nothing', why: 'PurgeRun general-1 is still open' }], []]);
  });

  test('wait both for an open run from before runs were split', async () => {
    const whole = before({ plan: aPlan({ steps: [CLICKS, VIEWS].map((collection, index) => ({ ...aPlan().steps[0]!, order: index + 1, collection })) }) });
    expect((await plan({ ...twoSteps(), ...tables() }, { declared: both, runs: [whole] })).outcomes.map((outcome) => outcome.made)).toEqual(['Nothing', 'Nothing']);
  });
});

describe('the name of a run', () => {
  const derived = { plan: aPlan(), planDigest: 'sha256:x', forecast: { at: '', steps: [] } };
  const named = (name: string, store = 'analytics', digest = 'sha256:x'): PurgeRun => purgeRunFor(aPolicy(name, {}), aStore({}, { name: store }), { ...derived, planDigest: digest });

  test('differs by store and by plan', () => {
    expect(new Set([named('general'), named('general', 'other'), named('general', 'analytics', 'sha256:y')].map((run) => run.metadata.name)).size).toBe(3);
  });

  test.each([[`${'a'.repeat(62)}.${'b'.repeat(140)}`], [`${'a'.repeat(62)}-b`], [`${'a'.repeat(199)}.b`], [`${'a'.repeat(198)}.-b`]])('and its label are taken by the API server for any policy: %s', (name) => {
    const run = named(name);
    expect(run.metadata.labels?.['dataward.io/policy']).toMatch(/^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/);
    expect(run.metadata.name).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/);
  });
});

describe('the moment a plan is made for', () => {
  const reader = (clock: string): StoreReader => ({ clock: async () => clock }) as unknown as StoreReader;

  test.each([
    ['the store runs ahead', '2026-03-01T02:00:59.900Z', '2026-03-01T02:00:00.000Z'],
    ['the store runs behind', '2026-03-01T01:59:01.700Z', '2026-03-01T01:59:01.000Z'],
    ['they differ by a minute', '2026-03-01T02:01:00Z', '2026-03-01T02:00:00.000Z'],
  ])('is the earlier of both clocks in whole seconds when %s', async (_, theirs, asOf) => {
    expect(await agreeOnNow(reader(theirs), NOW)).toBe(asOf);
  });

  test.each(['2026-03-01T02:01:00.001Z', '2026-03-01T01:58:59.999Z', '1970-01-01T00:00:00Z'])('is none when the store says %s', async (theirs) => {
    await expect(agreeOnNow(reader(theirs), NOW)).rejects.toMatchObject({ reason: 'ClockSkew', afterMs: 60_000 });
  });

  test('is none when the clock of the store says nothing', async () => {
    await expect(agreeOnNow(reader('infinity'), NOW)).rejects.toThrow();
  });
});
