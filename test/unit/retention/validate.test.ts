import { describe, expect, test } from '@jest/globals';
import { specProblem } from '../../../src/retention/validate.ts';
import { aMaximum, aMinimum, aPolicy, aPurge } from '../../support/declared.ts';

const purge = (changes: Parameters<typeof aPurge>[0]): Parameters<typeof aPolicy>[1] => ({ maximum: aMaximum('P1Y'), purge: aPurge(changes) });
const limits = { maxCutoffAdvance: 'P7D', maxRows: 1 };
const approval = { required: 'WhenWeakening', count: 1, validFor: 'P7D' } as const;

describe('a policy that can never work is told which field', () => {
  const table: [string, Parameters<typeof aPolicy>[1]][] = [
    ['spec.minimum.period', { minimum: aMinimum('P0D') }],
    ['spec.maximum.period', { maximum: aMaximum('PT24H') }],
    ['spec.timeZone', { maximum: aMaximum('P1Y'), timeZone: 'Europe/Atlantis' }],
    ['spec.purge.schedule.cron', purge({ schedule: { cron: '* * * *', window: 'PT4H' } })],
    ['spec.purge.schedule.cron', purge({ schedule: { cron: '0 25 * * *', window: 'PT4H' } })],
    ['spec.purge.schedule.window', purge({ schedule: { cron: '0 2 * * *', window: 'PT0S' } })],
    ['spec.purge.limits.maxCutoffAdvance', purge({ limits: { ...limits, maxCutoffAdvance: '-P1D' } })],
    ['spec.purge.approval.validFor', purge({ approval: { ...approval, validFor: 'P' } })],
  ];
  test.each(table)('%s', (field, spec) => {
    expect(specProblem(aPolicy('general', spec))).toMatch(new RegExp(`^${field.replaceAll('.', '\\.')}: .+`));
  });

  test('and one that can is told nothing', () => {
    expect(specProblem(aPolicy('general', { ...purge({ limits, approval }), minimum: aMinimum('P8Y', { roundUp: 'EndOfYear' }), timeZone: 'Europe/Berlin' }))).toBeUndefined();
  });

  test.each<[string, Parameters<typeof aPolicy>[1]]>([
    ['only keeps', { minimum: aMinimum('P8Y') }],
    ['only limits', { maximum: aMaximum('P1Y') }],
  ])('nor is one that %s', (_, spec) => expect(specProblem(aPolicy('general', spec))).toBeUndefined());
});
