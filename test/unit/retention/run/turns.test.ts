import { describe, expect, test } from '@jest/globals';
import type { PurgeRun } from '../../../../src/api/generated/purgeRun.ts';
import { createTurns, goesFirst } from '../../../../src/retention/run/turns.ts';
import { fc, runs } from '../../../support/properties.ts';
import { aPlan, aRun } from './declared-run.ts';

const [FIRST, SECOND] = [{ uid: 'uid-1', name: 'first' }, { uid: 'uid-2', name: 'second' }];

describe('turns in a store', () => {
  test('are of one run at a time, and of the next when that has ended', () => {
    const turns = createTurns();
    const turn = turns.take('sha256:a', FIRST);
    expect(turns.take('sha256:a', SECOND)).toEqual({ atWork: 'first' });
    expect(turns.take('sha256:b', SECOND)).toHaveProperty('end');
    if ('end' in turn) turn.end();
    expect(turns.take('sha256:a', SECOND)).toHaveProperty('end');
  });

  test('are taken again by the run that has one, and kept when what hung before ends at last', () => {
    const turns = createTurns();
    const hung = turns.take('sha256:a', FIRST);
    const again = turns.take('sha256:a', FIRST);
    if ('end' in hung) hung.end();
    expect(turns.take('sha256:a', SECOND)).toEqual({ atWork: 'first' });
    if ('end' in again) again.end();
    expect(turns.take('sha256:a', SECOND)).toHaveProperty('end');
  });

  test('are never of two runs, in whatever order they are taken and given back', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(3), fc.boolean()), { maxLength: 40 }), (steps) => {
        const turns = createTurns();
        const held = new Map<number, () => void>();
        for (const [run, take] of steps) {
          if (!take) {
            held.get(run)?.();
            held.delete(run);
            continue;
          }
          const turn = turns.take('sha256:a', { uid: `uid-${run}`, name: `run-${run}` });
          const others = [...held.keys()].filter((each) => each !== run);
          expect('end' in turn).toBe(others.length === 0);
          if ('end' in turn) held.set(run, turn.end);
        }
        expect(held.size).toBeLessThan(2);
      }),
      { numRuns: runs(100) },
    );
  });
});

describe('of two runs of a store', () => {
  const run = (name: string): fc.Arbitrary<PurgeRun> =>
    fc.record({ state: fc.constantFrom('Waiting', 'AwaitingApproval', 'Running', 'Paused', 'Verifying', 'Succeeded', 'Failed'), second: fc.nat(2), collection: fc.constantFrom('a', 'b'), failing: fc.boolean() }).map(({ state, second, collection, failing }) => {
      const plan = aPlan({ steps: [{ ...aPlan().steps[0]!, collection }] });
      const at = `2026-03-01T02:00:0${second}Z`;
      return aRun({ plan }, { state, ...(['Waiting', 'AwaitingApproval'].includes(state) ? {} : { startedAt: at, ...(failing ? { failing: { count: 1, since: at, deleted: 0 } } : {}) }) } as PurgeRun['status'], name);
    });
  const begun = ({ status }: PurgeRun): boolean => ['Running', 'Paused', 'Verifying'].includes(status?.state ?? '');
  const collection = ({ spec }: PurgeRun): string | undefined => spec.plan.steps[0]?.collection;

  test('never both wait for the other', () => {
    fc.assert(fc.property(run('one'), run('other'), (one, other) => {
      expect(goesFirst(one, other) && goesFirst(other, one)).toBe(false);
    }), { numRuns: runs(300) });
  });

  test('that have both begun on one collection, one waits', () => {
    fc.assert(fc.property(run('one'), run('other'), (one, other) => {
      fc.pre(begun(one) && begun(other) && collection(one) === collection(other));
      expect(goesFirst(one, other)).toBe(!goesFirst(other, one));
    }), { numRuns: runs(300) });
  });

  test('one whose work fails keeps none waiting that deletes from other collections, and waits for that while it is at work', () => {
    fc.assert(fc.property(run('one'), run('other'), (one, other) => {
      fc.pre(begun(one) && one.status?.failing !== undefined && collection(one) !== collection(other));
      expect(goesFirst(one, other)).toBe(false);
      expect(goesFirst(other, one)).toBe(['Running', 'Verifying'].includes(other.status?.state ?? '') && other.status?.failing === undefined);
    }), { numRuns: runs(300) });
  });
});
