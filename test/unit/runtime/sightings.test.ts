import { describe, expect, test } from '@jest/globals';
import { createSightings } from '../../../src/runtime/sightings.ts';
import type { Sightings } from '../../../src/runtime/sightings.ts';
import { widget } from '../../support/fake-apiserver.ts';
import type { Widget } from '../../support/fake-apiserver.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const state = (uid: string, resourceVersion: string): Widget => ({ ...widget('a'), metadata: { name: 'a', namespace: 'shop', uid, resourceVersion } });
const written = state('u', '7');

/** What happens before and after the wait begins, and whether it ends by it. */
const table: [string, (sightings: Sightings) => void, (sightings: Sightings) => void, boolean][] = [
  ['its own event comes', () => {}, (s) => s.seen(written), true],
  ['its own event came before the answer to the write', (s) => s.seen(written), () => {}, true],
  ['it came, and later states after it', (s) => [written, state('u', '8'), state('u', '9')].forEach(s.seen), () => {}, true],
  ['its object is deleted', () => {}, (s) => s.deleted(state('u', '9')), true],
  ['its object was deleted before', (s) => s.deleted(state('u', '9')), () => {}, true],
  ['a list begun after the write is taken over', () => {}, (s) => [s.listStarted(), s.listTaken()], true],
  ['only another state of the object comes, which may be an older one', () => {}, (s) => s.seen(state('u', '6')), false],
  ['another object of that name comes in that version', () => {}, (s) => s.seen(state('other', '7')), false],
  ['another object is deleted', () => {}, (s) => s.deleted(state('other', '7')), false],
  ['a list begun before the write is taken over', (s) => s.listStarted(), (s) => s.listTaken(), false],
  ['a list begun after the write is not complete yet', () => {}, (s) => s.listStarted(), false],
];

describe('a wait for a written state', () => {
  test.each(table)('%s', async (_name, before, after, arrives) => {
    const clock = createFakeClock();
    const sightings = createSightings();
    before(sightings);
    const wait = sightings.waitFor(written, { timeoutMs: 100, clock });
    after(sightings);
    await clock.advance(100);
    expect(await wait).toBe(arrives);
    expect(clock.timers).toBe(0);
  });

  test('ends at once with an abort', async () => {
    const clock = createFakeClock();
    const abort = new AbortController();
    const wait = createSightings().waitFor(written, { timeoutMs: 100, clock, signal: abort.signal });
    abort.abort();
    expect(await wait).toBe(false);
    expect(await createSightings().waitFor(written, { timeoutMs: 100, clock, signal: abort.signal })).toBe(false);
    expect(clock.timers).toBe(0);
  });

  test('remembers the last four thousand states, not all for ever', async () => {
    const clock = createFakeClock();
    const sightings = createSightings();
    sightings.seen(written);
    for (let version = 100; version < 4_195; version += 1) sightings.seen(state('u', String(version)));
    expect(await sightings.waitFor(written, { timeoutMs: 1, clock })).toBe(true);
    sightings.seen(state('u', 'one more'));
    const forgotten = sightings.waitFor(written, { timeoutMs: 1, clock });
    await clock.advance(1);
    expect(await forgotten).toBe(false);
  });
});
