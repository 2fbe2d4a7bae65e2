import { describe, expect, test } from '@jest/globals';
import { splitPurge } from '../../../src/retention/split.ts';
import type { PurgePlan } from '../../../src/stores/purging.ts';
import { fc, runs } from '../../support/properties.ts';
import { aForecast, aStep } from '../../support/scripted-store.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e'];
const whole = (order: readonly string[], due: (name: string) => number, refused: readonly string[] = []): PurgePlan => ({
  steps: order.map((collection, index) => aStep({ collection, order: index + 1 })),
  forecast: order.map((collection) => aForecast(due(collection), { collection })),
  refusals: refused.map((collection) => ({ reason: 'ForeignKeyWithoutIndex', collection, message: 'no index' })),
  walMegabytes: 100,
});
const groups = fc.array(fc.nat(2), { minLength: NAMES.length, maxLength: NAMES.length }).map((places) => [0, 1, 2].map((place) => NAMES.filter((_, index) => places[index] === place)).filter((group) => group.length > 0));
const orders = fc.shuffledSubarray(NAMES, { minLength: NAMES.length });

describe('a plan divided among groups', () => {
  test('shares log out by rows, and numbers the steps of each from 1', () => {
    const parts = splitPurge(whole(['c', 'a', 'b'], (name) => (name === 'c' ? 30 : 35)), [['a', 'b'], ['c']]);
    expect(parts.map((part) => [part.purge.steps.map((step) => `${step.order} ${step.collection}`), part.purge.walMegabytes])).toEqual([[['1 a', '2 b'], 70], [['1 c'], 30]]);
  });

  test('follows the numbers of the steps, in whatever order they are listed', () => {
    const purge = whole(['a', 'b', 'c'], () => 1);
    const [part] = splitPurge({ ...purge, steps: purge.steps.toReversed() }, [['a', 'c']]);
    expect(part?.purge.steps.map((step) => `${step.order} ${step.collection}`)).toEqual(['1 a', '2 c']);
  });

  test('writes no log where nothing is due', () => {
    expect(splitPurge(whole(['a'], () => 0), [['a']])[0]?.purge.walMegabytes).toBe(0);
  });

  test('gives a refusal to the group it names, and to all where it names none', () => {
    const refusals = (refused: string[]): string[][] => splitPurge(whole(['a', 'b'], () => 1, refused), [['a'], ['b']]).map((part) => part.purge.refusals.map((refusal) => refusal.collection));
    expect([refusals(['b']), refusals(['']), refusals(['z', 'a'])]).toEqual([[[], ['b']], [[''], ['']], [['z', 'a'], ['z']]]);
  });

  test('is one part where nothing is selected, its refusals included', () => {
    const purge = whole([], () => 0, ['a']);
    expect(splitPurge(purge, [])).toEqual([{ component: [], purge }]);
  });

  test('loses no step, gives none to two groups, and keeps the order of each', () => {
    fc.assert(
      fc.property(groups, orders, (components, order) => {
        const parts = splitPurge(whole(order, () => 1), components);
        expect(parts.flatMap((part) => part.purge.steps.map((step) => step.collection)).toSorted()).toEqual(order.toSorted());
        for (const { component, purge } of parts) {
          expect(purge.steps.map((step) => step.collection)).toEqual(order.filter((name) => component.includes(name)));
          expect(purge.steps.map((step) => step.order)).toEqual(purge.steps.map((_, index) => index + 1));
        }
        expect(parts.reduce((sum, part) => sum + part.purge.walMegabytes, 0)).toBeCloseTo(100);
      }),
      { numRuns: runs(100) },
    );
  });
});
