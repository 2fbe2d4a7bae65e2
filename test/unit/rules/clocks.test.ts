import { expect, test } from '@jest/globals';
import { clockProblem, isAhead } from '../../../src/rules/clocks.ts';

const NOW = Date.parse('2026-03-02T12:00:00Z');

test.each<[string, string, RegExp | undefined]>([
  ['the same time', '2026-03-02T12:00:00Z', undefined],
  ['a minute ahead', '2026-03-02T12:01:00Z', undefined],
  ['a minute behind', '2026-03-02T11:59:00Z', undefined],
  ['more than a minute ahead', '2026-03-02T12:01:01Z', /^the clocks of operator and store differ by 61 s; synchronise them, nothing is deleted until they agree within 60 s$/],
  ['hours behind', '2026-03-02T09:00:00Z', /differ by 10800 s/],
  ['no time at all', 'infinity', /^the clock of the store tells no time; synchronise them/],
])('a store that says %s', (_, theirs, problem) => {
  if (problem) expect(clockProblem(theirs, NOW)).toMatch(problem);
  else expect(clockProblem(theirs, NOW)).toBeUndefined();
});

test('an instant is ahead by more than a minute only', () => {
  expect([isAhead(NOW + 60_001, NOW), isAhead(NOW + 60_000, NOW), isAhead(NOW - 86_400_000, NOW)]).toEqual([true, false, false]);
});
