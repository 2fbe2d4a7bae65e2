import { expect, test } from '@jest/globals';
import type { Args } from '../../../src/policy/catalogue.ts';
import { renderMessage } from '../../../src/policy/catalogue.ts';

test.each<[string, string, Args, string]>([
  ['text and numbers stand as they are', '{a} of {b}', { a: 'x', b: 0 }, 'x of 0'],
  ['lists are joined', '{a}', { a: ['x', 'y'] }, 'x, y'],
  ['seconds become an instant', '{a:time}', { a: 0 }, '1970-01-01T00:00:00Z'],
  ['an instant that no calendar has is unknown', '{a:time}', { a: 1e15 }, 'unknown'],
  ['seconds become days', '{a:duration}', { a: 1_814_400 }, '21 days'],
  ['a day and a half is hours', '{a:duration}', { a: 129_600 }, '36 hours'],
  ['one is singular', '{a:duration}', { a: 3_600 }, '1 hour'],
  ['no time is seconds', '{a:duration}', { a: 0 }, '0 seconds'],
  ['a missing arg is unknown', 'seen {a}', {}, 'seen unknown'],
  ['a property of every object is no arg', '{constructor}', {}, 'unknown'],
])('%s', (_, template, args, message) => {
  expect(renderMessage(template, args)).toBe(message);
});
