import { expect, test } from '@jest/globals';
import type { PurgeRun } from '../../../src/api/generated/purgeRun.ts';
import { latestRuns } from '../../../src/rules/latest-runs.ts';
import { fc } from '../../support/properties.ts';

interface Words {
  day: number;
  collections: string[];
  policy?: string;
  store?: string;
}

const run = ({ day, collections, policy = 'p0', store = 'analytics' }: Words): PurgeRun =>
  ({ metadata: { namespace: 'db', name: `${day}`, creationTimestamp: `2026-03-${String(day).padStart(2, '0')}T02:00:00Z`, labels: { 'dataward.io/policy-uid': policy } }, spec: { store, plan: { steps: collections.map((collection) => ({ collection })) } } }) as unknown as PurgeRun;
const names = (runs: readonly PurgeRun[]): string[] => runs.map(({ metadata }) => metadata.name);

test.each<[string, Words[], string[]]>([
  ['the newest run alone, of one group', [{ day: 2, collections: ['a'] }, { day: 1, collections: ['a'] }], ['2']],
  ['the newest of each group', [{ day: 1, collections: ['a'] }, { day: 2, collections: ['b'] }], ['1', '2']],
  ['a run once, though it covers several collections', [{ day: 1, collections: ['a', 'b'] }], ['1']],
  ['an older run as long as one of its collections was not purged since', [{ day: 1, collections: ['a', 'b'] }, { day: 2, collections: ['b'] }], ['1', '2']],
  ['those of several policies over one collection', [{ day: 1, collections: ['a'] }, { day: 2, collections: ['a'], policy: 'p1' }], ['1', '2']],
  ['those of several stores', [{ day: 1, collections: ['a'] }, { day: 2, collections: ['a'], store: 'other' }], ['1', '2']],
  ['none of no runs', [], []],
])('gives %s', (_name, runs, expected) => {
  expect(names(latestRuns(runs.map(run)))).toEqual(expected);
});

test('leaves out runs over collections nobody asks for', () => {
  expect(names(latestRuns([run({ day: 1, collections: ['a'] }), run({ day: 2, collections: ['b'] })], new Set(['b'])))).toEqual(['2']);
});

test('covers every collection of every run, whatever their order', () => {
  const words = fc.array(fc.record({ collections: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1 }) }), { maxLength: 12 });
  fc.assert(
    fc.property(words, (all) => {
      const runs = all.map((each, index) => run({ ...each, day: index + 1 }));
      const latest = latestRuns(runs);
      const covered = (of: readonly PurgeRun[]): string[] => [...new Set(of.flatMap(({ spec }) => spec.plan.steps.map(({ collection }) => collection)))].toSorted();
      expect(covered(latest)).toEqual(covered(runs));
      expect(names(latestRuns(runs.toReversed()))).toEqual(names(latest));
      if (runs.length > 0) expect(latest.at(-1)).toBe(runs.at(-1));
    }),
  );
});
