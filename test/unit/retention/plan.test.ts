import { describe, expect, test } from '@jest/globals';
import type { RetentionPolicy } from '../../../src/api/generated/retentionPolicy.ts';
import { purgeRunFor } from '../../../src/retention/apply.ts';
import { agreeOnNow, purgeRequest } from '../../../src/retention/derive.ts';
import { rememberedRule } from '../../../src/retention/approved-columns.ts';
import { approvalReasons, draftRun, planDigest, readNormal, widerThanPlanned, type ApprovalInput, type DraftRun } from '../../../src/retention/plan.ts';
import type { NormalRule } from '../../../src/rules/weakening.ts';
import { storeRules, type StoreRules } from '../../../src/rules/store-rules.ts';
import type { Inventory } from '../../../src/stores/facts.ts';
import type { StoreReader } from '../../../src/stores/port.ts';
import type { PurgePlan, StepForecast } from '../../../src/stores/purging.ts';
import { aMap, aMaximum, aMinimum, anInventory, aPolicy, aPurge, aStore, aTable } from '../../support/declared.ts';

const AS_OF = '2026-03-01T10:30:00Z';
const ID = 'platform-db/web/views';
const inventory = anInventory([aTable('views', ['id', 'viewed_at'], { estimatedRows: 10_000 })]);
const map = aMap([{ times: [{ event: 'Created', field: 'viewed_at' }] }]);
const general = (period: string, purge: Parameters<typeof aPurge>[0] = {}): RetentionPolicy => aPolicy('general', { maximum: aMaximum(period), purge: aPurge(purge) });

function rulesFor(policies: RetentionPolicy[], maps = [map], seen: Inventory = inventory): StoreRules {
  return storeRules(aStore(), { maps, policies, holds: [], namespaces: new Map(), rootNamespace: 'dataward-system' }, seen, AS_OF);
}

const forecastOf = (changes: Partial<StepForecast> = {}): StepForecast => ({ collection: ID, due: 400, held: 0, floored: 0, indeterminate: 0, blocked: 0, exact: true, ...changes });
const purge = (forecast: StepForecast[] = [forecastOf()]): PurgePlan => ({
  steps: [{ collection: ID, table: { schema: 'public', name: 'views' }, order: 1, method: 'BlockRange', predicateDigest: 'sha256:p', because: 'selected', tables: [{ schema: 'public', name: 'views', oid: 'views' }] }],
  refusals: [],
  forecast,
  walMegabytes: 1.2,
});

function drafted(policy: RetentionPolicy, others: RetentionPolicy[] = []): DraftRun & { normals: ReadonlyMap<string, NormalRule>; input: ApprovalInput } {
  const { request, normals } = purgeRequest(rulesFor([policy, ...others]), policy, AS_OF);
  const draft = draftRun({ policy, store: aStore(), purge: purge(), rules: request.rules, normals, target: 'sha256:target', asOf: AS_OF });
  return { ...draft, normals, input: { policy, plan: draft.plan, forecast: [forecastOf()], rules: request.rules, normals, approved: [], inventory } };
}

describe('a plan', () => {
  test('carries what people approve: step, cutoff, rule, limits, target and until when', () => {
    const { plan, forecast } = drafted(general('P1Y', { limits: { maxCutoffAdvance: 'P7D', maxRows: 5, maxPercent: 3 } }));
    expect(plan).toMatchObject({ target: 'sha256:target', limits: { maxRows: 5, maxCutoffAdvance: 'P7D', maxPercent: 3 }, algebra: 1, asOf: AS_OF, validUntil: '2026-03-08T10:30:00Z' });
    expect(plan.steps).toMatchObject([{ order: 1, collection: ID, method: 'BlockRange', cutoff: '2025-03-01T00:00:00+00:00', policy: 'platform-db/general', predicateDigest: 'sha256:p' }]);
    expect(forecast).toEqual({ at: AS_OF, steps: [forecastOf()], walMegabytes: 2 });
  });

  test('has of each step its own cutoff, and each table once, in the order of their names', () => {
    const { request, normals } = purgeRequest(rulesFor([general('P1Y')]), general('P1Y'), AS_OF);
    const [views] = request.rules;
    const other = { ...views!, collection: 'platform-db/web/old', due: { op: 'before' as const, time: { path: { via: [], field: 'viewed_at' }, type: 'TimestampTZ' as const }, cutoff: { instant: '2001-01-01T00:00:00Z', localDate: '2001-01-01', timeZone: 'UTC' } } };
    const table = (name: string): PurgePlan['steps'][number]['tables'][number] => ({ schema: 'public', name, oid: name });
    const [step] = purge().steps;
    const steps = [{ ...step!, tables: [table('views'), table('clients')] }, { ...step!, collection: other.collection, tables: [table('clients'), table('archive')] }];
    const { plan } = draftRun({ policy: general('P1Y'), store: aStore(), purge: { ...purge(), steps }, rules: [other, ...request.rules], normals, target: 'sha256:target', asOf: AS_OF });
    expect(plan.steps.map(({ cutoff }) => cutoff.slice(0, 10))).toEqual(['2025-03-01', '2001-01-01']);
    expect(plan.tables.map(({ name }) => name)).toEqual(['archive', 'clients', 'views']);
  });

  test('is not made of a policy that purges nothing', () => {
    expect(() => draftRun({ policy: aPolicy('general', { maximum: aMaximum('P1Y') }), store: aStore(), purge: purge(), rules: [], normals: new Map(), target: 'x', asOf: AS_OF })).toThrow('RetentionPolicy general has no spec.purge');
  });

  test('names the tables it was made on once each, by name, and the parts of one beside its counts', () => {
    const [orders, items] = ['orders', 'items'].map((name, index) => ({ schema: 'public', name, oid: String(16402 + index) }));
    const [step] = purge().steps;
    const policy = general('P1Y');
    const { request, normals } = purgeRequest(rulesFor([policy]), policy, AS_OF);
    const two: PurgePlan = { ...purge([forecastOf({ partOids: ['16411', '16414'] })]), steps: [{ ...step!, tables: [orders!, items!] }, { ...step!, tables: [items!] }] };
    const { plan, forecast } = draftRun({ policy, store: aStore(), purge: two, rules: request.rules, normals, target: 'sha256:target', asOf: AS_OF });
    expect(plan.tables).toEqual([items, orders]);
    expect(forecast.steps).toMatchObject([{ parts: '16411 16414' }]);
    expect(planDigest({ ...plan, tables: [orders!] })).not.toBe(planDigest(plan));
  });

  test('names of each table the columns that any of its steps asks for, once each, by name; a change of one changes the digest', () => {
    const column = (name: string, number: number): { name: string; number: number; type: string } => ({ name, number, type: 'text' });
    const views = (...columns: ReturnType<typeof column>[]): PurgePlan['steps'][number]['tables'] => [{ schema: 'public', name: 'views', oid: '16401', columns }];
    const [step] = purge().steps;
    const policy = general('P1Y');
    const { request, normals } = purgeRequest(rulesFor([policy]), policy, AS_OF);
    const draft = (state: number): DraftRun => draftRun({ policy, store: aStore(), purge: { ...purge(), steps: [{ ...step!, tables: views(column('viewed_at', 4), column('state', state)) }, { ...step!, tables: views(column('id', 1), column('state', state)) }] }, rules: request.rules, normals, target: 'sha256:target', asOf: AS_OF });
    expect(draft(3).plan.tables).toEqual(views(column('id', 1), column('state', 3), column('viewed_at', 4)));
    expect(draft(2).planDigest).not.toBe(draft(3).planDigest);
  });

  test('has a digest that every part of it changes, and that counts do not', () => {
    const { plan, planDigest: digest } = drafted(general('P1Y'));
    expect(planDigest(plan)).toBe(digest);
    const changes = [{ target: 'x' }, { asOf: 'x' }, { validUntil: 'x' }, { algebra: 2 }, { limits: { ...plan.limits, maxRows: 1 } }, { steps: [] }, { tables: [] }, { steps: plan.steps.map((step) => ({ ...step, rule: 'null' })) }];
    expect(new Set([digest, ...changes.map((change) => planDigest({ ...plan, ...change }))]).size).toBe(changes.length + 1);
  });

  test('asks the driver for the collections the policy makes due, with all others beside them', () => {
    const { request } = purgeRequest(rulesFor([aPolicy('other', { maximum: aMaximum('P1Y') }), general('P2Y')]), general('P2Y'), AS_OF);
    expect(request.targets).toEqual([]);
    expect(request.rules.map((rule) => rule.collection)).toEqual([ID]);
    expect(purgeRequest(rulesFor([general('P2Y')]), general('P2Y'), AS_OF).request.targets).toEqual([ID]);
  });

  test('becomes a PurgeRun beside the store, named the same each time, tied to its policy by labels', () => {
    const draft = drafted(general('P1Y'));
    const run = purgeRunFor(general('P1Y'), aStore({}, { namespace: 'shop' }), draft);
    expect(run.metadata).toMatchObject({ namespace: 'shop', finalizers: ['dataward.io/protect'], labels: { 'dataward.io/policy': 'general', 'dataward.io/policy-namespace': 'platform-db', 'dataward.io/policy-uid': 'uid-general' } });
    expect(run.metadata).not.toHaveProperty('ownerReferences');
    expect(run.metadata.name).toMatch(/^general-[0-9a-f]{8}$/);
    expect(purgeRunFor(general('P1Y'), aStore({}, { namespace: 'shop' }), drafted(general('P1Y'))).metadata.name).toBe(run.metadata.name);
    expect(purgeRunFor(general('P2Y'), aStore({}, { namespace: 'shop' }), drafted(general('P2Y'))).metadata.name).not.toBe(run.metadata.name);
  });
});

describe('a person is needed', () => {
  const approvedAs = (policy: RetentionPolicy, cutoff: string): ApprovalInput['approved'] => [{ collection: ID, rule: JSON.stringify(drafted(policy).normals.get(ID)), cutoff, run: 'uid-run', at: AS_OF }];
  const settled = approvedAs(general('P1Y'), '2025-02-28');
  const asked = (policy: RetentionPolicy, changes: Partial<ApprovalInput> = {}): string[] => approvalReasons({ ...drafted(policy).input, approved: settled, ...changes }).map((reason) => reason.reason);
  const limited = (limits: { maxPercent?: number }): RetentionPolicy => general('P1Y', { limits: { maxCutoffAdvance: 'P7D', maxRows: 1_000, ...limits } });

  const table: [string, RetentionPolicy, Partial<ApprovalInput>, string[]][] = [
    ['by nobody for the same rule a day later', general('P1Y'), {}, []],
    ['for a first run', general('P1Y'), { approved: [] }, ['FirstRun']],
    ['where the record is of another algebra', general('P1Y'), { approved: settled.map((rule) => ({ ...rule, rule: JSON.stringify({ algebra: 0 }) })) }, ['FirstRun']],
    ['where the record is of another collection', general('P1Y'), { approved: settled.map((rule) => ({ ...rule, collection: 'x' })) }, ['FirstRun']],
    ['for a shorter period, which also moves the cutoff far', general('P2M'), {}, ['RuleChanged', 'CutoffAdvance']],
    ['for a cutoff that stood still too long', general('P1Y'), { approved: approvedAs(general('P1Y'), '2025-01-01') }, ['CutoffAdvance']],
    ['each time, where the policy says Always', general('P1Y', { approval: { required: 'Always', count: 1, validFor: 'P7D' } }), {}, ['Always']],
    ['for more rows than the limit', limited({}), { forecast: [forecastOf({ due: 1_001 })] }, ['TooManyRows']],
    ['not for as many rows as the limit', limited({}), { forecast: [forecastOf({ due: 1_000 })] }, []],
    ['for rows nobody could count', limited({}), { forecast: [forecastOf({ exact: false })] }, ['TooManyRows']],
    ['for rows nobody could count in one of two collections', limited({}), { forecast: [forecastOf(), forecastOf({ collection: 'b', due: 0, exact: false })] }, ['TooManyRows']],
    ['for more rows than the limit in two collections together', limited({}), { forecast: [forecastOf({ due: 600 }), forecastOf({ collection: 'b', due: 600 })] }, ['TooManyRows']],
    ['not where other collections are on record too, by another rule', general('P1Y'), { approved: [...approvedAs(general('P8Y'), '2000-01-01').map((rule) => ({ ...rule, collection: 'b' })), ...settled] }, []],
    ['not for a share of the table of its own, whatever others hold', limited({ maxPercent: 4 }), { inventory: anInventory([aTable('other', ['id'], { estimatedRows: 1 }), aTable('views', ['id'], { schema: 'archive', estimatedRows: 1 }), ...inventory.tables]) }, []],
    ['for a larger share than the limit', limited({ maxPercent: 3 }), {}, ['TooManyRows']],
    ['not for a share at the limit', limited({ maxPercent: 4 }), {}, []],
    ['for a share of an unknown number of rows', limited({ maxPercent: 50 }), { inventory: anInventory([aTable('views', ['id', 'viewed_at'])]) }, ['TooManyRows']],
  ];
  test.each(table)('%s', (_, policy, changes, expected) => {
    expect(asked(policy, changes)).toEqual(expected);
  });

  test('where a name of the rule is that of another column of the table by now, and is told which', () => {
    const { input } = drafted(general('P1Y'));
    const tables = (number: number): PurgePlan['steps'][number]['tables'] => [{ schema: 'public', name: 'views', oid: '16401', columns: [{ name: 'viewed_at', number, type: 'date' }] }];
    const approved = settled.map((rule) => ({ ...rule, rule: rememberedRule(drafted(general('P1Y')).normals.get(ID)!, input.rules[0], tables(2)) }));
    const reasons = (number: number): ReturnType<typeof approvalReasons> => approvalReasons({ ...input, plan: { ...input.plan, tables: tables(number) }, approved });
    expect(reasons(2)).toEqual([]);
    expect(reasons(3)).toEqual([{ reason: 'RuleChanged', message: expect.stringMatching(/^platform-db\/web\/views: viewed_at of public\.views is another column by now \(number 3\).* when a run under it was last approved; the rule speaks of other data by the same names$/) }]);
  });

  test('by nobody for what another collection of the store is about', () => {
    const { input } = drafted(limited({ maxPercent: 4 }));
    const [own] = input.rules;
    const due = { op: 'before' as const, time: { path: { via: [], field: 'viewed_at' }, type: 'TimestampTZ' as const }, cutoff: { instant: '2026-02-01T00:00:00Z', localDate: '2026-02-01', timeZone: 'UTC' } };
    const beside = { ...own!, collection: 'platform-db/web/new', table: { schema: 'public', name: 'new' }, due };
    expect(approvalReasons({ ...input, rules: [beside, ...input.rules], approved: settled })).toEqual([]);
  });

  test('and is told which collection, figure and limit', () => {
    const [reason] = approvalReasons({ ...drafted(limited({ maxPercent: 3 })).input, approved: settled });
    expect(reason?.message).toBe(`${ID}: 400 rows are more than 3 % of 10000 rows`);
    expect(approvalReasons({ ...drafted(limited({})).input, approved: settled, forecast: [forecastOf({ due: 1_001 })] })[0]?.message).toMatch(/^1001 rows are due, limits\.maxRows is 1000;/);
    expect(approvalReasons({ ...drafted(limited({ maxPercent: 3 })).input, approved: settled, inventory: anInventory([]) })[0]?.message).toContain('of an unknown number of rows');
  });
});

describe('against a plan that was approved, today deletes', () => {
  const planned = drafted(general('P1Y'), [aPolicy('least', { minimum: aMinimum('P6M') })]);
  const today = (policies: RetentionPolicy[], maps = [map], seen = inventory): string | undefined => widerThanPlanned(planned.plan, purgeRequest(rulesFor(policies, maps, seen), general('P1Y'), AS_OF).normals);
  const least = aPolicy('least', { minimum: aMinimum('P6M') });

  const narrower: [string, () => string | undefined][] = [
    ['the same', () => today([general('P1Y'), least])],
    ['a longer period', () => today([general('P13M'), least])],
    ['a longer minimum', () => today([general('P1Y'), aPolicy('least', { minimum: aMinimum('P9M') })])],
    ['a new minimum', () => today([general('P1Y'), least, aPolicy('more', { minimum: aMinimum('P8Y') })])],
    ['a collection that is no longer mapped', () => today([general('P1Y'), least], [])],
  ];
  test.each(narrower)('no more: %s', (_, wider) => {
    expect(wider()).toBeUndefined();
  });

  const wider: [string, () => string | undefined, string][] = [
    ['a shorter period', () => today([general('P11M'), least]), 'the maximum went from P1Y to P11M'],
    ['a removed minimum', () => today([general('P1Y')]), 'a minimum of P6M'],
    ['a shorter minimum', () => today([general('P1Y'), aPolicy('least', { minimum: aMinimum('P5M') })]), 'a minimum of P6M'],
    ['another column behind the event', () => today([general('P1Y'), least], [aMap([{ times: [{ event: 'Created', field: 'seen_at' }] }])], anInventory([aTable('views', ['id', 'viewed_at', 'seen_at'])])), 'another clock'],
    ['another table behind the collection', () => today([general('P1Y'), least], [aMap([{ table: { schema: 'public', name: 'orders' }, times: [{ event: 'Created', field: 'viewed_at' }] }])], anInventory([aTable('orders', ['id', 'viewed_at'])])), 'now means table public.orders'],
  ];
  test.each(wider)('more: %s', (_, found, words) => {
    expect(found()).toContain(words);
  });

  test('more in a later step, although an earlier one is not mapped any more', () => {
    const plan = { ...planned.plan, steps: [{ ...planned.plan.steps[0]!, collection: 'platform-db/web/gone' }, ...planned.plan.steps] };
    expect(widerThanPlanned(plan, purgeRequest(rulesFor([general('P11M'), least]), general('P1Y'), AS_OF).normals)).toContain('the maximum went from P1Y to P11M');
  });

  test('more, where the plan has no rule that can be read', () => {
    const plan = { ...planned.plan, steps: planned.plan.steps.map((step) => ({ ...step, rule: 'null' })) };
    expect(widerThanPlanned(plan, planned.normals)).toContain('no run under this policy has been approved');
    expect(readNormal('null')).toBeUndefined();
  });
});

describe('the time a plan is made for', () => {
  const reader = (clock: string): StoreReader => ({ clock: () => Promise.resolve(clock) }) as StoreReader;
  const now = Date.parse(AS_OF);

  test.each([
    ['the store is behind', '2026-03-01T10:29:30.900Z', '2026-03-01T10:29:30.000Z'],
    ['the store is ahead', '2026-03-01T10:30:59.000Z', '2026-03-01T10:30:00.000Z'],
  ])('is the earlier clock in whole seconds: %s', async (_, clock, expected) => {
    expect(await agreeOnNow(reader(clock), now)).toBe(expected);
  });

  test.each(['2026-03-01T10:28:59Z', '2026-03-01T10:31:01Z'])('is not decided while the clocks differ by more than a minute: %s', async (clock) => {
    await expect(agreeOnNow(reader(clock), now)).rejects.toMatchObject({ reason: 'ClockSkew', message: expect.stringContaining('differ by 61 s') });
  });

  test('is not decided from a clock that cannot be read', async () => {
    await expect(agreeOnNow(reader('soon'), now)).rejects.toThrow();
  });
});
