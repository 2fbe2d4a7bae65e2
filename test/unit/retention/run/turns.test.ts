import { describe, expect, test } from '@jest/globals';
import { createTurns } from '../../../../src/retention/run/turns.ts';
import { fc, runs } from '../../../support/properties.ts';

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
