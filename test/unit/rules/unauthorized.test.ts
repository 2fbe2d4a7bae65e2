import { describe, expect, test } from '@jest/globals';
import type { DataStore } from '../../../src/api/generated/dataStore.ts';
import type { Condition } from '../../../src/api/object.ts';
import { unauthorizedBecause } from '../../../src/rules/unauthorized.ts';
import { aStore } from '../../support/declared.ts';

const may = (status: Condition['status'], reason: string): Condition => ({ type: 'Authorized', status, reason, message: 'purger lacks DELETE on public.views', lastTransitionTime: '2026-03-01T00:00:00Z' });

describe('whoever is to approve a plan is told', () => {
  const NOW = Date.parse('2026-03-01T12:00:00Z');
  const fresh = { observedGeneration: 1, validUntil: '2026-03-01T12:00:00Z' };
  test.each<[string, NonNullable<DataStore['status']>, string | undefined]>([
    ['what an identity lacks', { ...fresh, conditions: [may('False', 'PermissionMissing')] }, 'DataStore platform-db/analytics lets it not be carried out (PermissionMissing): purger lacks DELETE on public.views'],
    ['what one lacked when it was last looked at, however long ago', { conditions: [may('False', 'PermissionMissing')] }, 'DataStore platform-db/analytics lets it not be carried out (PermissionMissing): purger lacks DELETE on public.views'],
    ['that this is not known', { ...fresh, conditions: [may('Unknown', 'Unreachable')] }, 'it is not known whether DataStore platform-db/analytics lets it be carried out (Unreachable): purger lacks DELETE on public.views'],
    ['that it is not known any more, where all was well too long ago', { ...fresh, validUntil: '2026-03-01T11:59:59Z', conditions: [may('True', 'Authorized')] }, 'it is not known whether DataStore platform-db/analytics lets it be carried out: what was seen of it counted until 2026-03-01T11:59:59Z; look whether the operator runs'],
    ['that it is not known of what was declared since', { ...fresh, observedGeneration: 0, conditions: [may('True', 'Authorized')] }, 'it is not known whether DataStore platform-db/analytics lets it be carried out: it was changed since it was looked at'],
    ['nothing where all is well', { ...fresh, conditions: [may('True', 'Authorized')] }, undefined],
    ['nothing where nobody has looked', { conditions: [] }, undefined],
  ])('%s', (_, status, said) => {
    expect(unauthorizedBecause(aStore({}, {}, status), NOW)).toBe(said);
  });
});
