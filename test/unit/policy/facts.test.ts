import { describe, expect, test } from '@jest/globals';
import type { LegalHold, LegalHoldSpec, LegalHoldStatus } from '../../../src/api/generated/legalHold.ts';
import type { SeenTransport } from '../../../src/policy/facts.ts';
import { coverageFact, holdInput, retentionCount, secondsOf, transportFact } from '../../../src/policy/facts.ts';

const at = { observedAt: '2027-01-15T08:00:00Z', validUntil: '2027-01-15T08:10:00Z' };
const interval = { observedAt: 1_800_000_000, validUntil: 1_800_000_600 };
const nothing: SeenTransport = { accepted: [], refused: [] };

describe('transport', () => {
  test('of which nothing was seen has nothing but its time', () => {
    expect(transportFact(at, nothing, undefined)).toEqual(interval);
  });

  test('seen in full is told in full', () => {
    const certificate = { notBefore: '2026-01-01T00:00:00Z', notAfter: '2027-06-01T00:00:00Z', keyType: 'ec', keyBits: 256, trusted: true, nameMatches: false };
    const seen = { version: 'TLSv1.3', accepted: ['TLSv1.2', 'TLSv1.3'], refused: ['TLSv1', 'TLSv1.1'], plaintextRefused: true, certificate };
    expect(transportFact(at, seen, { plaintext: 0, complete: true, own: { tls: true, serverAddressMatches: true } })).toEqual({
      ...interval,
      version: 'TLSv1.3',
      plaintextRefused: true,
      legacyRefused: true,
      tls12Refused: false,
      livePlaintextSessions: 0,
      pooler: false,
      certificate: { notBefore: 1_767_225_600, notAfter: 1_811_808_000, keyType: 'EC', keyBits: 256, trusted: true, nameMatches: false },
    });
  });

  test.each<[string, SeenTransport, object]>([
    ['one old version accepted decides', { accepted: ['TLSv1'], refused: [] }, { legacyRefused: false }],
    ['one old version refused does not', { accepted: [], refused: ['TLSv1.1'] }, {}],
    ['TLS 1.2 refused is told', { accepted: [], refused: ['TLSv1.2'] }, { tls12Refused: true }],
    ['a version with another name is unknown', { ...nothing, version: 'SSLv3' }, {}],
    ['a kind of key nobody knows is left out, with its zero bits', { ...nothing, certificate: { notBefore: 'x', notAfter: 'y', keyType: 'unknown', keyBits: 0, trusted: true, nameMatches: true } }, { certificate: { trusted: true, nameMatches: true } }],
  ])('%s', (_, seen, want) => {
    expect(transportFact(at, seen, undefined)).toEqual({ ...interval, ...want });
  });

  test.each([
    ['sessions that could not all be seen are not counted', 0, false, {}],
    ['one plaintext session among those seen is enough', 1, false, { livePlaintextSessions: 1 }],
  ])('%s', (_, plaintext, complete, want) => {
    const sessions = { plaintext, complete, own: { tls: true, serverAddressMatches: true } };
    expect(transportFact(at, nothing, sessions)).toEqual({ ...interval, pooler: false, ...want });
  });

  test.each([
    [false, true],
    [true, false],
  ])('a backend that says TLS %s and address %s stands behind a pooler', (tls, serverAddressMatches) => {
    expect(transportFact(at, nothing, { plaintext: 0, complete: true, own: { tls, serverAddressMatches } }).pooler).toBe(true);
  });
});

test('coverage and counts keep what is known and no more', () => {
  expect(coverageFact(at, { tables: 3, mapped: 2, worst: [{ table: 'a', why: 'b' }], otherDatabases: [] }, undefined)).toEqual({ ...interval, tables: 3, mapped: 2, undeclaredDatabases: [] });
  expect(retentionCount({ collection: 'c', due: 1, held: 2, floored: 3, indeterminate: 4, exact: false }, undefined)).toEqual({ name: 'c', due: 1, held: 2, blockedByMinimum: 3, indeterminate: 4, exact: false });
});

test('an observation whose time cannot be read was never valid', () => {
  expect(transportFact({ observedAt: 'now', validUntil: '' }, nothing, undefined)).toEqual({ observedAt: 0, validUntil: 0 });
});

test.each([
  ['2027-01-15T08:00:00.999Z', 1_800_000_000],
  ['2027-01-15', 1_799_971_200],
  ['', undefined],
  [undefined, undefined],
])('%s is %s', (text, seconds) => expect(secondsOf(text)).toBe(seconds));

describe('a hold', () => {
  const store = { namespace: 'platform-db', name: 'analytics' };
  const all = { all: {} };
  const narrow = { stores: all, collections: { names: ['page-views'] }, clients: all };
  const hold = (spec: Partial<LegalHoldSpec> = {}, status?: LegalHoldStatus): LegalHold => ({
    apiVersion: 'dataward.io/v1alpha1',
    kind: 'LegalHold',
    metadata: { name: 'm', namespace: 'platform-db', generation: 4 },
    spec: { matter: '2026-014', basis: { type: 'LegalClaims', jurisdiction: 'DE', reference: '12 O 34/26' }, custodian: 'legal@example.com', reviewAt: '2027-01-15', scope: [narrow], ...spec },
    ...(status === undefined ? {} : { status }),
  });

  test('is told without matter, custodian and reference', () => {
    const told = holdInput(hold(), store, []);
    expect(told).toEqual({ name: 'platform-db/m', state: 'Pending', reviewAt: 1_799_971_200, custodianNamed: true, basisStated: true, jurisdiction: 'DE', blanket: false, otherDeleters: [] });
    for (const secret of ['2026-014', 'legal@example.com', '12 O 34/26']) expect(JSON.stringify(told)).not.toContain(secret);
  });

  test('without a jurisdiction has no stated basis', () => {
    expect(holdInput(hold({ basis: { type: 'LegalClaims', reference: 'x' } }), store, []).basisStated).toBe(false);
  });

  test.each([
    ['one block of everything', [narrow, { stores: all, collections: all, clients: all }], true],
    ['a period', [{ stores: all, collections: all, clients: all, between: { event: 'Created', from: '2025-01-01', to: '2025-07-01' } }], false],
    ['subjects', [{ stores: all, collections: all, clients: all, subjects: { secretName: 's' } }], false],
    ['a client', [{ stores: all, collections: all, clients: { keys: ['a'] } }], false],
  ])('over %s is blanket or not', (_, scope, blanket) => {
    expect(holdInput(hold({ scope }), store, []).blanket).toBe(blanket);
  });

  const entry = { ...store, enforcedSince: '2026-12-01T00:00:00Z' };
  test.each<[string, LegalHoldStatus | undefined, boolean | undefined]>([
    ['no status', undefined, undefined],
    ['its entry of this revision', { state: 'Active', revision: 4, stores: [entry] }, true],
    ['its entry, though another store still lacks it', { state: 'Pending', revision: 4, stores: [entry] }, true],
    ['an entry without a time', { state: 'Pending', revision: 4, stores: [store] }, false],
    ['an entry of an older scope', { state: 'Active', revision: 3, stores: [entry] }, undefined],
    ['an entry of another store', { state: 'Active', revision: 4, stores: [{ ...entry, name: 'other' }], truncated: 0 }, undefined],
    ['a list cut short of a hold that is in force everywhere', { state: 'Active', revision: 4, stores: [], truncated: 3 }, true],
    ['a list cut short of a hold that is not', { state: 'Pending', revision: 4, stores: [], truncated: 3 }, undefined],
  ])('by %s is in force: %s', (_, status, enforced) => {
    expect(holdInput(hold({}, status), store, []).enforced).toBe(enforced);
  });
});
