import { describe, expect, test } from '@jest/globals';
import type { LegalHold, LegalHoldSpec } from '../../../src/api/generated/legalHold.ts';
import { circleOf, isInForce, isReleased, originOf, successorsOf } from '../../../src/rules/succession.ts';
import { aHold } from '../../support/declared.ts';

const ROOT = 'dataward-system';
const request = { by: 'anna', reason: 'settled' };
const byTwo = { release: { request, approval: { by: 'ben' } } };
const moved = { namespace: ROOT, annotations: { 'dataward.io/moved-from': 'platform-db/old' } };

function named(name: string, spec: Partial<LegalHoldSpec> = {}, metadata: Partial<LegalHold['metadata']> = {}, state?: 'Active' | 'Released'): LegalHold {
  return aHold([{}], spec, { name, uid: `uid-${name}`, ...metadata }, state && { state });
}
const names = (holds: LegalHold[]): string[] => holds.map((hold) => hold.metadata.name).toSorted();
const among = (...holds: LegalHold[]): { holds: LegalHold[]; rootNamespace: string } => ({ holds, rootNamespace: ROOT });

describe('a hold is released', () => {
  const table: [string, Partial<LegalHoldSpec>, boolean][] = [
    ['not without a release', {}, false],
    ['not by a request alone', { release: { request } }, false],
    ['not by a request one person approved for herself', { release: { request, approval: { by: 'anna' } } }, false],
    ['by two people', byTwo, true],
    ['not by a review that is overdue', { reviewAt: '2001-01-01' }, false],
  ];
  test.each(table)('%s', (_, spec, expected) => {
    expect(isReleased(named('old', spec))).toBe(expected);
  });
});

describe('a hold is in force', () => {
  const table: [string, LegalHold, LegalHold[], boolean][] = [
    ['while its object is being deleted', named('old', {}, { deletionTimestamp: '2026-01-01T00:00:00Z' }), [], true],
    ['no longer after two people released it', named('old', byTwo), [], false],
    ['after its release, while a successor is declared', named('old', byTwo), [named('new', { supersedes: 'old' })], true],
    ['no longer once it was let go for its successor', named('old', byTwo, {}, 'Released'), [named('new', { supersedes: 'old' })], false],
    ['no longer when its successor has ended too', named('old', byTwo), [named('new', { supersedes: 'old', ...byTwo }, {}, 'Released')], false],
    ['after its release, while its successor is released and has not ended', named('old', byTwo), [named('new', { supersedes: 'old', ...byTwo }, {}, 'Active')], true],
  ];
  test.each(table)('%s', (_, hold, others, expected) => {
    expect(isInForce(hold, among(hold, ...others))).toBe(expected);
  });
});

describe('successors', () => {
  const old = named('old');
  const table: [string, LegalHold, LegalHold[], string[]][] = [
    ['are the holds of the namespace that name it', old, [named('new', { supersedes: 'old' }), named('other', { supersedes: 'new' })], ['new']],
    ['are not of another namespace', old, [named('new', { supersedes: 'old' }, { namespace: 'shop' })], []],
    ['stay so when they were created again in the root namespace', old, [named('new-uid', { supersedes: 'old' }, { namespace: ROOT, annotations: { 'dataward.io/moved-from': 'platform-db/new' } })], ['new-uid']],
    ['are not those that claim elsewhere to have been moved', old, [named('new', { supersedes: 'old' }, { namespace: 'shop', annotations: { 'dataward.io/moved-from': 'platform-db/new' } })], []],
    ['are kept by a hold that was created again in the root namespace', named('old-uid', {}, moved), [named('new', { supersedes: 'old' })], ['new']],
    ['that have ended are replaced by their own', old, [named('new', { supersedes: 'old', ...byTwo }, {}, 'Released'), named('newest', { supersedes: 'new' })], ['newest']],
    ['that have ended without successor are none', old, [named('new', { supersedes: 'old', ...byTwo }, {}, 'Released')], []],
    ['that say Released and were not released by two people count', old, [named('new', { supersedes: 'old' }, {}, 'Released')], ['new']],
  ];
  test.each(table)('%s', (_, hold, others, expected) => {
    expect(names(successorsOf(hold, among(hold, ...others)))).toEqual(expected);
  });

  test('of ended holds in a circle are found without going round for ever', () => {
    const circle = [named('a', { supersedes: 'b', ...byTwo }, {}, 'Released'), named('b', { supersedes: 'a', ...byTwo }, {}, 'Released')];
    expect(successorsOf(circle[0] as LegalHold, among(...circle))).toEqual([]);
  });
});

describe('a circle', () => {
  const a = named('a', { supersedes: 'b' });
  const b = named('b', { supersedes: 'c' });
  const c = named('c', { supersedes: 'a' });
  const table: [string, LegalHold, LegalHold[], string[]][] = [
    ['is a hold that names itself', named('a', { supersedes: 'a' }), [], ['a']],
    ['is found from each of its holds', b, [a, c], ['a', 'b', 'c']],
    ['does not include what only leads into it', named('d', { supersedes: 'a' }), [a, b, c], []],
    ['has no part in what follows one of its holds', a, [b, c, named('d', { supersedes: 'a' })], ['a', 'b', 'c']],
    ['is none where a chain ends', a, [b, named('c')], []],
    ['is none where a hold is missing', a, [b], []],
  ];
  test.each(table)('%s', (_, hold, others, expected) => {
    expect(names(circleOf(hold, among(hold, ...others)))).toEqual(expected);
  });
});

test('the annotation of a move counts in the root namespace only', () => {
  expect([originOf(named('x', {}, moved), ROOT), originOf(named('x', {}, { ...moved, namespace: 'shop' }), ROOT), originOf(named('x'), ROOT)]).toEqual(['platform-db/old', 'shop/x', 'platform-db/x']);
});
