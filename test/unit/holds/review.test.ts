import { expect, test } from '@jest/globals';
import { getCondition } from '../../../src/api/conditions.ts';
import type { StoreOutcome } from '../../../src/holds/apply.ts';
import type { HoldSubjects } from '../../../src/holds/observe.ts';
import { holdStatus } from '../../../src/holds/status.ts';
import { aHold } from '../../support/declared.ts';

const nobody: HoldSubjects = { bySecret: new Map(), pins: [], unreadable: [] };

const inStore: StoreOutcome = { store: { namespace: 'platform-db', name: 'a', enforcedSince: '2026-01-01T00:00:00Z' }, items: [], widened: [], blocks: [{ index: 0, keeps: true }], failed: false };

test.each([
  ['before its day', '2026-12-31T23:59:59Z', 'HoldActive', /committed in 1 store\.$/],
  ['from its day on', '2027-01-01T00:00:00Z', 'ReviewOverdue', /spec\.reviewAt \(2027-01-01\) is past: set a new date, or have the hold released\.$/],
])('a hold stays in force whenever it is to be reviewed: %s', (_, now, reason, message) => {
  const status = holdStatus(aHold([{}]), [inStore], nobody, Date.parse(now));
  expect(status.state).toBe('Active');
  expect(getCondition(status.conditions, 'Ready')).toMatchObject({ status: 'True', reason, message: expect.stringMatching(message) });
});

test('one that stands in no store says so, that it is to be reviewed, and what becomes of it', () => {
  const status = holdStatus(aHold([{}]), [], nobody, Date.parse('2027-01-01T00:00:00Z'));
  expect(status).toMatchObject({ state: 'Pending', storesTotal: 0, observedGeneration: 1 });
  expect(getCondition(status.conditions, 'Ready')).toMatchObject({ status: 'False', reason: 'NothingHeld', message: expect.stringMatching(/^The hold stands in no store and protects nothing: .* comes into force in each that appears, and stays until two people release it\. spec\.reviewAt .* is past/) });
});
