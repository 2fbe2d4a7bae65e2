import { describe, expect, test } from '@jest/globals';
import type { Condition } from '../../../src/api/object.ts';
import { unauthorizedBecause } from '../../../src/rules/unauthorized.ts';
import { aStore } from '../../support/declared.ts';

const may = (status: Condition['status'], reason: string): Condition => ({ type: 'Authorized', status, reason, message: 'purger lacks DELETE on public.views', lastTransitionTime: '2026-03-01T00:00:00Z' });

describe('whoever is to approve a plan is told', () => {
  test.each<[string, Condition[], string | undefined]>([
    ['what an identity lacks', [may('False', 'PermissionMissing')], 'DataStore platform-db/analytics lets it not be carried out (PermissionMissing): purger lacks DELETE on public.views'],
    ['that this is not known', [may('Unknown', 'Unreachable')], 'it is not known whether DataStore platform-db/analytics lets it be carried out (Unreachable): purger lacks DELETE on public.views'],
    ['nothing where all is well', [may('True', 'Authorized')], undefined],
    ['nothing where nobody has looked', [], undefined],
  ])('%s', (_, conditions, said) => {
    expect(unauthorizedBecause(aStore({}, {}, { conditions }))).toBe(said);
  });
});
