import { expect, test } from '@jest/globals';
import { within } from '../../../src/runtime/within.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

test('what comes in time is given, and what fails in time fails', async () => {
  const clock = createFakeClock();
  expect(await within(Promise.resolve(7), 1_000, clock)).toBe(7);
  await expect(within(Promise.reject(new Error('no')), 1_000, clock)).rejects.toThrow('no');
});

test('what does not come is left to itself when the time is over, and its later failure is nobody\'s', async () => {
  const clock = createFakeClock();
  const heard: unknown[] = [];
  const listen = (error: unknown): void => void heard.push(error);
  process.on('unhandledRejection', listen);
  let fail = (): void => {};
  const outcome = within(new Promise((_resolve, reject) => (fail = () => reject(new Error('late')))), 1_000, clock);
  await clock.advance(1_000);
  expect(await outcome).toBeUndefined();
  fail();
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', listen);
  expect(heard).toEqual([]);
});
