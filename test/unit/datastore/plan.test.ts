import { describe, expect, test } from '@jest/globals';
import { dueReadings, type DueReadings, type LastReadings } from '../../../src/datastore/plan.ts';
import { aStore } from '../../support/declared.ts';

describe('what is to be read again', () => {
  const now = Date.parse('2026-03-02T12:00:00Z');
  const fresh: LastReadings = { transport: now, inventory: now, counts: now, countedRules: 'r1' };
  const none: DueReadings = { transport: false, inventory: false, counts: false };
  const table: [string, LastReadings, { rules?: string; lastPurgeEnd?: number }, DueReadings][] = [
    ['nothing while all is fresh', fresh, {}, none],
    ['everything at the start of a process', {}, {}, { transport: true, inventory: true, counts: true }],
    ['the transport after its cadence', { ...fresh, transport: now - 300_000 }, {}, { ...none, transport: true }],
    ['not a moment before', { ...fresh, transport: now - 299_999 }, {}, none],
    ['the inventory after its cadence', { ...fresh, inventory: now - 900_000 }, {}, { ...none, inventory: true }],
    ['the counts when their schedule came round', { ...fresh, counts: Date.parse('2026-03-02T01:00:00Z') }, {}, { ...none, counts: true }],
    ['not when they were made since', { ...fresh, counts: Date.parse('2026-03-02T01:40:00Z') }, {}, none],
    ['the counts under other rules', fresh, { rules: 'r2' }, { ...none, counts: true }],
    ['the counts after a purge', { ...fresh, counts: now - 1_000 }, { lastPurgeEnd: now - 500 }, { ...none, counts: true }],
    ['not after a purge they already saw', { ...fresh, counts: now - 1_000 }, { lastPurgeEnd: now - 2_000 }, none],
  ];
  test.each(table)('%s', (_, last, context, due) => {
    expect(dueReadings(aStore(), last, { now, rules: 'r1', ...context })).toEqual(due);
  });
});
