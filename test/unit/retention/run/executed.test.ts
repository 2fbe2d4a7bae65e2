import { describe, expect, test } from '@jest/globals';
import { canonicalJson } from '../../../../src/evidence/canonical.ts';
import { executedOf, type Executed } from '../../../../src/retention/run/executed.ts';
import { compareRules, type NormalRule } from '../../../../src/rules/weakening.ts';
import { predicateDigest } from '../../../../src/stores/condition.ts';
import type { CollectionRule } from '../../../../src/stores/counting.ts';
import type { PurgeRequest } from '../../../../src/stores/purging.ts';
import { aTime } from '../../../support/declared.ts';
import { fc, runs } from '../../../support/properties.ts';
import { VIEWS } from '../../../support/scripted-store.ts';
import { aPlan } from './declared-run.ts';

const CLICKS = 'platform-db/web/clicks';
const normal = (period: string, changes: Partial<NormalRule> = {}): NormalRule => ({ algebra: 1, table: 'public.views', maxima: [{ scope: 'created', period, roundUp: 'None' }], minimums: [], ...changes });
const cutoff = (day: string) => ({ instant: `${day}T00:00:00Z`, localDate: day, timeZone: 'UTC' });
const rule = (day: string, changes: Partial<CollectionRule> = {}): CollectionRule => ({ collection: VIEWS, table: { schema: 'public', name: 'views' }, due: { op: 'before', time: aTime('created_at'), cutoff: cutoff(day) }, guards: [], times: [], acknowledged: [], ...changes });
const asks = (...rules: CollectionRule[]): PurgeRequest => ({ rules, targets: rules.map(({ collection }) => collection), nonPersonal: [], now: aPlan().asOf, budgetMs: 60_000 });

const APPROVED = rule('2025-03-01');
const plan = aPlan({ steps: [{ ...aPlan().steps[0]!, cutoff: '2025-03-01T00:00:00Z', rule: canonicalJson(normal('P12M')), predicateDigest: predicateDigest(APPROVED) }] });
const carried = (request: PurgeRequest, today: NormalRule): ReturnType<typeof executedOf> => executedOf(plan, request, new Map([[VIEWS, today]]));
const under = (request: PurgeRequest, today: NormalRule): Executed => (carried(request, today) as { executed: Executed }).executed;

describe('what a run is carried out by', () => {
  test('is the plan where nothing changed since', () => {
    expect(under(asks(APPROVED), normal('P12M')).steps).toEqual([{ collection: VIEWS, table: APPROVED.table, cutoff: cutoff('2025-03-01'), predicateDigest: plan.steps[0]?.predicateDigest, normal: normal('P12M'), narrowed: false }]);
  });

  test.each<[string, CollectionRule, NormalRule, string]>([
    ['a longer period', rule('2023-03-01'), normal('P36M'), '2023-03-01'],
    ['a minimum that came since', rule('2025-03-01', { guards: [{ kind: 'Minimum', name: 'm', predicate: { op: 'false' } }] }), normal('P12M', { minimums: [{ scope: 'created', period: 'P24M', roundUp: 'None' }] }), '2025-03-01'],
  ])('is %s, in each of its members', (_, today, rules, day) => {
    expect(under(asks(today), rules).steps).toEqual([{ collection: VIEWS, table: today.table, cutoff: cutoff(day), predicateDigest: predicateDigest(today), normal: rules, narrowed: true }]);
    expect(under(asks(today), rules).digest).not.toBe(under(asks(APPROVED), normal('P12M')).digest);
  });

  test('is nothing where today reaches more, or other rows', () => {
    expect(carried(asks(rule('2026-01-01')), normal('P2M'))).toEqual({ wider: expect.stringContaining('P12M to P2M') });
    expect(carried(asks(APPROVED), normal('P36M', { maxima: [{ scope: 'closed', period: 'P36M', roundUp: 'None' }] }))).toEqual({ wider: expect.stringContaining('other rows') });
  });

  test('leaves out what is not due any more, and what was never planned', () => {
    const { due: _due, ...undue } = APPROVED;
    expect(under(asks(undue), normal('P12M')).steps).toEqual([]);
    const clicks = rule('2025-03-01', { collection: CLICKS });
    const executed = under(asks(APPROVED, clicks), normal('P12M'));
    expect([executed.steps.map(({ collection }) => collection), executed.request.targets, executed.request.rules.map((each) => each.due !== undefined)]).toEqual([[VIEWS], [VIEWS], [true, false]]);
  });

  test('is compared by collection, cutoff and condition, and by nothing that does not choose rows', () => {
    const digest = (today: CollectionRule): string => under(asks(today), normal('P12M')).digest;
    expect(digest(rule('2025-03-01', { acknowledged: ['trigger'] }))).toBe(digest(APPROVED));
    expect(digest(rule('2025-02-28'))).not.toBe(digest(APPROVED));
    expect(digest(rule('2025-03-01', { table: { schema: 'public', name: 'other' } }))).not.toBe(digest(APPROVED));
  });

  test('is never wider than the plan, whatever was declared then and now, and going back from it is a change', () => {
    const months = fc.integer({ min: 1, max: 60 }).map((count) => `P${count}M`);
    const rules = fc.record({ maximum: months, minimums: fc.array(months, { maxLength: 2 }), scope: fc.constantFrom('created', 'closed') }).map(({ maximum, minimums, scope }) => normal(maximum, { maxima: [{ scope, period: maximum, roundUp: 'None' }], minimums: minimums.map((period, i) => ({ scope: `m${i}`, period, roundUp: 'None' as const })) }));
    fc.assert(
      fc.property(rules, rules, (then, now) => {
        const approved = aPlan({ steps: [{ ...plan.steps[0]!, rule: canonicalJson(then) }] });
        const result = executedOf(approved, asks(APPROVED), new Map([[VIEWS, now]]));
        if ('wider' in result) return expect(compareRules(then, now, VIEWS)).toBeDefined();
        const [step] = result.executed.steps;
        expect(compareRules(then, step!.normal, VIEWS)).toBeUndefined();
        // What is remembered is compared with the next plan: only the same rule comes through unasked.
        if (canonicalJson(then) !== canonicalJson(now)) expect(compareRules(step!.normal, then, VIEWS)).toBeDefined();
      }),
      { numRuns: runs(200) },
    );
  });
});
