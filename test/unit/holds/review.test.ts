import { expect, test } from '@jest/globals';
import { getCondition } from '../../../src/api/conditions.ts';
import type { HoldSubjects } from '../../../src/holds/observe.ts';
import { holdStatus } from '../../../src/holds/status.ts';
import { aHold } from '../../support/declared.ts';

const nobody: HoldSubjects = { bySecret: new Map(), pins: [], unreadable: [] };

test.each([
  ['before its day', '2026-12-31T23:59:59Z', 'HoldActive', /committed in 0 stores\.$/],
  ['from its day on', '2027-01-01T00:00:00Z', 'ReviewOverdue', /spec\.reviewAt \(2027-01-01\) is past: set a new date, or have the hold released\.$/],
])('a hold stays in force whenever it is to be reviewed: %s', (_, now, reason, message) => {
  const status = holdStatus(aHold([{}]), [], nobody, Date.parse(now));
  expect(status.state).toBe('Active');
  expect(getCondition(status.conditions, 'Ready')).toMatchObject({ status: 'True', reason, message: expect.stringMatching(message) });
});
