import { expect, test } from '@jest/globals';
import { leaks } from '../../support/scan.ts';

test('a leak is named with its place, and text without an identifier is not', () => {
  const readables = [
    { where: 'log', text: '{"message":"gone: reader7@mail.example"}' },
    { where: 'metrics', text: 'rows_total 7' },
  ];
  expect(leaks(readables, ['reader7@mail.example', '203.0.113.7'])).toEqual(['log: reader7@mail.example']);
});
