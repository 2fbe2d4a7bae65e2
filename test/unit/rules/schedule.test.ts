import { describe, expect, test } from '@jest/globals';
import { nextSlot, nextStart, owedSlot, parseCron, windowMillis, type Schedule } from '../../../src/rules/schedule.ts';
import { fc, runs } from '../../support/properties.ts';

const at = (text: string): number => Date.parse(text);
const iso = (millis: number | undefined): string | undefined => (millis === undefined ? undefined : new Date(millis).toISOString());
const daily: Schedule = { cron: '0 2 * * *', timeZone: 'UTC', window: 'PT4H' };
const berlin: Schedule = { cron: '30 2 * * *', timeZone: 'Europe/Berlin' };

describe('a cron line', () => {
  test.each(['', ' ', '* * * *', '0 0 2 * * *', '@daily', '61 * * * *', '0 25 * * *', '0 2 * * frogday', '0  2 * * *'])('%j is refused, naming the line', (cron) => {
    expect(() => parseCron({ cron, timeZone: 'UTC' }, 0)).toThrow(RangeError);
    expect(() => parseCron({ cron, timeZone: 'UTC' }, 0)).toThrow(JSON.stringify(cron));
  });

  test.each(['0 2 * * *', '*/15 * * * *', '0 2 1 * *', '0 2 * * 1-5'])('%j is read', (cron) => {
    expect(parseCron({ cron, timeZone: 'UTC' }, 0).next().getTime()).toBeGreaterThan(0);
  });
});

describe('a slot that is owed', () => {
  const table: [string, string, string, string | undefined][] = [
    ['begun since the last attempt', '2026-03-01T02:00:00Z', '2026-03-02T02:10:00Z', '2026-03-02T02:00:00.000Z'],
    ['however many were missed, the latest', '2026-02-01T02:00:00Z', '2026-03-02T02:10:00Z', '2026-03-02T02:00:00.000Z'],
    ['not twice', '2026-03-02T02:00:00Z', '2026-03-02T02:10:00Z', undefined],
    ['not before it begins', '2026-03-01T02:00:00Z', '2026-03-02T01:59:59Z', undefined],
    ['long after its window, to be made up for', '2026-03-01T02:00:00Z', '2026-03-02T20:00:00Z', '2026-03-02T02:00:00.000Z'],
  ];
  test.each(table)('%s', (_, last, now, owed) => {
    expect(iso(owedSlot(daily, at(last), at(now), 'uid')?.at)).toBe(owed);
  });

  test('begins within its spread, not at once', () => {
    const slot = nextSlot(daily, at('2026-03-02T00:00:00Z'), 'uid');
    expect(owedSlot(daily, slot.at - 1, slot.startsAt - 1, 'uid')).toBeUndefined();
    expect(owedSlot(daily, slot.at - 1, slot.startsAt, 'uid')).toEqual(slot);
  });
});

describe('the spread of a slot', () => {
  test('is the same for one policy each time, and below five minutes and a tenth of the window', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.constantFrom('PT10M', 'PT1H', 'PT4H', 'PT23H'), (uid, window) => {
        const first = nextSlot({ ...daily, window }, 0, uid);
        const second = nextSlot({ ...daily, window }, first.at, uid);
        const spread = first.startsAt - first.at;
        expect(spread).toBe(second.startsAt - second.at);
        expect(spread).toBeGreaterThanOrEqual(0);
        expect(spread).toBeLessThan(Math.min(300_000, windowMillis(window) / 10));
        expect(first.endsAt - first.at).toBe(windowMillis(window));
      }),
    );
  });

  test('parts policies: of two hundred no minute has more than a third', () => {
    const minutes = Array.from({ length: 200 }, (_, index) => nextSlot(daily, 0, `uid-${index}`)).map((slot) => Math.floor((slot.startsAt - slot.at) / 60_000));
    for (const minute of [0, 1, 2, 3, 4]) expect(minutes.filter((each) => each === minute).length).toBeLessThan(67);
  });

  test('without a window has no end', () => {
    expect(nextSlot(berlin, 0, 'uid').endsAt).toBe(Infinity);
  });
});

describe('the next start', () => {
  test('is never past, and nothing could begin between now and then', () => {
    const instant = fc.date({ min: new Date('2026-03-20T00:00:00Z'), max: new Date('2026-04-05T00:00:00Z'), noInvalidDate: true }).map((date) => date.getTime());
    fc.assert(
      fc.property(instant, fc.uuid(), fc.constantFrom('0 2 * * *', '*/10 * * * *'), fc.constantFrom('UTC', 'Europe/Berlin'), (now, uid, cron, timeZone) => {
        const schedule = { cron, timeZone, window: 'PT1H' };
        const start = nextStart(schedule, now, uid);
        expect(start).toBeGreaterThan(now);
        const owed = owedSlot(schedule, now - 86_400_000, start, uid);
        expect(owed?.startsAt).toBe(start);
        expect(owedSlot(schedule, owed?.at ?? 0, start - 1, uid)).toBeUndefined();
        const before = owedSlot(schedule, now - 86_400_000, start - 1, uid);
        expect(before === undefined || before.startsAt <= now).toBe(true);
      }),
      { numRuns: runs(40) },
    );
  });

  test('within the spread of a slot is that of this slot, not of tomorrow', () => {
    const slot = nextSlot(daily, at('2026-03-02T00:00:00Z'), 'uid');
    expect(slot.startsAt).toBeGreaterThan(slot.at + 1);
    expect(nextStart(daily, slot.at + 1, 'uid')).toBe(slot.startsAt);
    expect(nextStart(daily, slot.startsAt, 'uid')).toBe(nextSlot(daily, slot.at, 'uid').startsAt);
  });
});

describe('when clocks change', () => {
  /** Looks once an hour, as a controller does, and acts on what is owed. */
  function attempts(from: string, hours: number): (string | undefined)[] {
    const made: number[] = [];
    for (let now = at(from) + 2_400_000; now < at(from) + hours * 3_600_000; now += 3_600_000) {
      const owed = owedSlot(berlin, made.at(-1) ?? at(from), now, 'uid');
      if (owed) made.push(owed.at);
    }
    return made.map(iso);
  }

  test('each day has one run, also the day on which its time is skipped or comes twice', () => {
    expect(attempts('2026-03-28T00:00:00Z', 72)).toEqual(['2026-03-28T01:30:00.000Z', '2026-03-29T01:30:00.000Z', '2026-03-30T00:30:00.000Z']);
    expect(attempts('2026-10-24T00:00:00Z', 72)).toEqual(['2026-10-24T00:30:00.000Z', '2026-10-25T00:30:00.000Z', '2026-10-26T01:30:00.000Z']);
  });

  test('a time that is skipped runs once, an hour later', () => {
    const first = nextSlot(berlin, at('2026-03-28T12:00:00Z'), 'uid').at;
    expect([iso(first), iso(nextSlot(berlin, first, 'uid').at)]).toEqual(['2026-03-29T01:30:00.000Z', '2026-03-30T00:30:00.000Z']);
  });

  test('a time that comes twice runs once', () => {
    const first = nextSlot(berlin, at('2026-10-24T12:00:00Z'), 'uid').at;
    expect([iso(first), iso(nextSlot(berlin, first, 'uid').at)]).toEqual(['2026-10-25T00:30:00.000Z', '2026-10-26T01:30:00.000Z']);
  });
});

describe('a window', () => {
  test.each([['PT4H', 14_400_000], ['PT30M', 1_800_000], ['P1D', 86_400_000], ['PT1H30M', 5_400_000]])('%s is %d ms', (text, millis) => {
    expect(windowMillis(text)).toBe(millis);
  });

  test.each(['PT0S', '-PT1H', '4h', ''])('%j is refused', (text) => {
    expect(() => windowMillis(text)).toThrow(RangeError);
  });
});
