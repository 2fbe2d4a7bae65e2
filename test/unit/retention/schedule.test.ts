import { describe, expect, test } from '@jest/globals';
import type { RetentionPolicy } from '../../../src/api/generated/retentionPolicy.ts';
import { planDue } from '../../../src/retention/schedule.ts';
import { aMaximum, aPolicy, aPurge } from '../../support/declared.ts';

const at = (text: string): number => Date.parse(text);
const policy = (lastSlotAt?: string, purge: Parameters<typeof aPurge>[0] = {}, annotations: Record<string, string> = {}): RetentionPolicy => ({
  ...aPolicy('general', { maximum: aMaximum('P1Y'), purge: aPurge(purge) }, { creationTimestamp: '2026-03-01T12:00:00Z', annotations }),
  ...(lastSlotAt ? { status: { lastSlotAt } } : {}),
});
const asked = (when: string): Record<string, string> => ({ 'dataward.io/requested-at': when });

describe('a plan is owed', () => {
  const table: [string, RetentionPolicy, string, string | undefined][] = [
    ['after the first slot since the policy was made', policy(), '2026-03-02T03:00:00Z', '2026-03-02T02:00:00Z'],
    ['not for slots before the policy was made', policy(), '2026-03-01T20:00:00Z', undefined],
    ['not twice for a slot', policy('2026-03-02T02:00:00Z'), '2026-03-02T03:00:00Z', undefined],
    ['once for many missed slots', policy('2026-02-01T02:00:00Z'), '2026-03-02T03:00:00Z', '2026-03-02T02:00:00Z'],
    ['also long after the window, so that a person may look at it', policy('2026-03-01T02:00:00Z'), '2026-03-02T20:00:00Z', '2026-03-02T02:00:00Z'],
    ['when a person asked since', policy('2026-03-02T02:00:00Z', {}, asked('2026-03-02T09:00:00Z')), '2026-03-02T09:00:30Z', '2026-03-02T09:00:00Z'],
    ['not again for what a person asked before', policy('2026-03-02T09:00:00Z', {}, asked('2026-03-02T09:00:00Z')), '2026-03-02T09:05:00Z', undefined],
    ['not yet for what a person asked for later', policy('2026-03-02T02:00:00Z', {}, asked('2026-03-02T19:00:00Z')), '2026-03-02T09:00:00Z', undefined],
    ['in mode Plan', policy(undefined, { mode: 'Plan' }), '2026-03-02T03:00:00Z', '2026-03-02T02:00:00Z'],
    ['never in mode Observe', policy(undefined, { mode: 'Observe' }, asked('2026-03-02T02:30:00Z')), '2026-03-02T03:00:00Z', undefined],
    ['never while suspended', policy(undefined, { suspend: true }, asked('2026-03-02T02:30:00Z')), '2026-03-02T03:00:00Z', undefined],
    ['never without a purge', aPolicy('general', { maximum: aMaximum('P1Y') }), '2026-03-02T03:00:00Z', undefined],
  ];
  test.each(table)('%s', (_, given, now, slot) => {
    const due = planDue(given, at(now));
    expect(due.due ? new Date(due.slot).toISOString() : undefined).toBe(slot && new Date(slot).toISOString());
  });

  test('next within five minutes of a slot', () => {
    const due = planDue(policy('2026-03-02T02:00:00Z'), at('2026-03-02T12:00:00Z'));
    expect(due.due).toBe(false);
    const { nextAt } = due as { nextAt: number };
    expect(nextAt - at('2026-03-03T02:00:00Z')).toBeGreaterThanOrEqual(0);
    expect(nextAt - at('2026-03-03T02:00:00Z')).toBeLessThan(300_000);
  });

  test('and once acted upon no more, however the looks fall', () => {
    const made: number[] = [];
    for (let now = at('2026-03-02T00:30:00Z'); now < at('2026-03-05T00:00:00Z'); now += 3_600_000) {
      const due = planDue(policy(made.length > 0 ? new Date(made.at(-1) as number).toISOString() : undefined), now);
      if (due.due) made.push(due.slot);
    }
    expect(made.map((slot) => new Date(slot).toISOString())).toEqual(['2026-03-02T02:00:00.000Z', '2026-03-03T02:00:00.000Z', '2026-03-04T02:00:00.000Z']);
  });
});
