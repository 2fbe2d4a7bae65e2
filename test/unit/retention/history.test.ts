import { describe, expect, test } from '@jest/globals';
import type { PurgeRun } from '../../../src/api/generated/purgeRun.ts';
import { surplusRuns } from '../../../src/retention/history.ts';
import type { RunState } from '../../../src/retention/run/plan.ts';

const run = (name: string, state: RunState, day: number, store = 'analytics', collections = ['views']): PurgeRun =>
  ({
    metadata: { namespace: 'platform-db', name, creationTimestamp: `2026-01-${String(day).padStart(2, '0')}T00:00:00Z` },
    spec: { store, plan: { steps: collections.map((collection) => ({ collection })) } },
    status: { state, ...(state === 'Running' ? {} : { finishedAt: `2026-01-${String(day).padStart(2, '0')}T01:00:00Z` }) },
  }) as PurgeRun;

describe('ended runs that are taken away', () => {
  test('are the oldest beyond ten that succeeded', () => {
    const runs = Array.from({ length: 13 }, (_, index) => run(`r${index}`, 'Succeeded', index + 1)).toReversed();
    expect(surplusRuns(runs).map((each) => each.metadata.name)).toEqual(['r0', 'r1', 'r2']);
  });

  test('are counted apart for each store, and apart for runs that did not succeed', () => {
    const runs = [
      ...Array.from({ length: 10 }, (_, index) => run(`a${index}`, 'Succeeded', index + 1)),
      ...Array.from({ length: 10 }, (_, index) => run(`b${index}`, 'Failed', index + 1)),
      ...Array.from({ length: 11 }, (_, index) => run(`c${index}`, 'Expired', index + 1, 'other')),
    ];
    expect(surplusRuns(runs).map((each) => each.metadata.name)).toEqual(['c0']);
  });

  test('are counted apart for collections that were purged apart', () => {
    const runs = [...Array.from({ length: 11 }, (_, index) => run(`a${index}`, 'Succeeded', index + 1)), run('b', 'Succeeded', 1, 'analytics', ['invoices'])];
    expect(surplusRuns(runs).map((each) => each.metadata.name)).toEqual(['a0']);
  });

  test('stay while one of their collections still needs them', () => {
    const runs = [run('old', 'Succeeded', 1, 'analytics', ['views', 'invoices']), ...Array.from({ length: 10 }, (_, index) => run(`a${index}`, 'Succeeded', index + 2))];
    expect(surplusRuns(runs)).toEqual([]);
  });

  test('are counted apart for stores of one name in two namespaces', () => {
    const elsewhere = (each: PurgeRun): PurgeRun => ({ ...each, metadata: { ...each.metadata, namespace: 'shop' } });
    const runs = [...Array.from({ length: 10 }, (_, index) => run(`a${index}`, 'Succeeded', index + 1)), elsewhere(run('b', 'Succeeded', 1))];
    expect(surplusRuns(runs)).toEqual([]);
  });

  test('are not those that go already', () => {
    const runs = Array.from({ length: 11 }, (_, index) => run(`r${index}`, 'Succeeded', index + 1));
    const [first, ...rest] = runs;
    expect(surplusRuns([{ ...first!, metadata: { ...first!.metadata, deletionTimestamp: '2026-02-01T00:00:00Z' } }, ...rest])).toEqual([]);
  });

  test('are never open ones, however many and however old', () => {
    expect(surplusRuns(Array.from({ length: 30 }, (_, index) => run(`r${index}`, 'Running', 1)))).toEqual([]);
  });
});
