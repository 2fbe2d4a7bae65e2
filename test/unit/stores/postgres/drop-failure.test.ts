import { expect, test } from '@jest/globals';
import { afterFailure } from '../../../../src/stores/postgres/drop-failure.ts';
import type { DropFailure } from '../../../../src/stores/postgres/drop-failure.ts';

const locked: DropFailure = { lost: false, sqlState: '55P03', retry: 'RowLocked', taken: false, ours: true, attempt: 0 };
const refused: Partial<DropFailure> = { sqlState: undefined, retry: undefined };

test.each<[string, Partial<DropFailure>, ReturnType<typeof afterFailure>]>([
  ['is tried again where somebody is in the way', {}, 'retry'],
  ['is tried again a fourth time', { attempt: 3 }, 'retry'],
  ['is given up after the fifth attempt, so that its rows are seen', { attempt: 4 }, 'give up'],
  ['is undone at once where the server does not let it be dropped', { sqlState: '2BP01', retry: undefined }, 'undo'],
  ['is undone at once where the count takes too long, which it would the next time', { sqlState: '57014', retry: 'BatchTooLong' }, 'undo'],
  ['is undone, and the run ends, where the store is frozen', refused, 'undo and fail'],
  ['is undone, and the run ends, where what another run left detached may not be dropped', { ...refused, ours: false }, 'undo and fail'],
  ['is undone where it was detached by the very process that lost its run', { ...refused, taken: true }, 'undo and fail'],
  ['is left to whoever took the run over, where that found it detached', { ...refused, taken: true, ours: false }, 'fail'],
  ['is left to the next run where the login is lost', { lost: true }, 'fail'],
  ['is left to the next run where the login is lost, whatever else', { ...refused, lost: true, attempt: 4 }, 'fail'],
])('a drop that failed %s', (_what, changes, next) => {
  expect(afterFailure({ ...locked, ...changes })).toBe(next);
});
