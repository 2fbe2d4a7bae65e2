import { describe, expect, test } from '@jest/globals';
import { getCondition } from '../../../src/api/conditions.ts';
import type { DataStore, DataStoreStatus } from '../../../src/api/generated/dataStore.ts';
import type { Observation } from '../../../src/datastore/observe.ts';
import { dataStoreStatus, retentionStatus, transportStatus } from '../../../src/datastore/status.ts';
import type { MapProblem } from '../../../src/rules/collections.ts';
import { effectiveRules, type EffectiveCollection } from '../../../src/rules/effective.ts';
import { storeRules } from '../../../src/rules/store-rules.ts';
import type { CollectionCount } from '../../../src/stores/counting.ts';
import type { SessionFacts, TransportFacts } from '../../../src/stores/facts.ts';
import { fc, runs } from '../../support/properties.ts';
import { aCollection, aMap, aMaximum, aMinimum, anInventory, aPolicy, aStore, aTable } from '../../support/declared.ts';

const NOW = Date.parse('2026-03-02T12:00:00Z');
const probe = (changes: Partial<TransportFacts> = {}): TransportFacts => ({ observedAt: '2026-03-02T12:00:00Z', version: 'TLSv1.3', accepted: ['TLSv1.3', 'TLSv1.2'], refused: ['TLSv1.1', 'TLSv1.0'], plaintextRefused: true, ...changes });
const seen = (changes: Partial<SessionFacts> = {}): SessionFacts => ({ total: 3, plaintext: 0, complete: true, own: { tls: true, serverAddressMatches: true }, ...changes });
const count = (collection: string, changes: Partial<CollectionCount> = {}): CollectionCount => ({ collection, due: 0, held: 0, floored: 0, blocked: 0, blockedForever: 0, indeterminate: 0, exact: true, ...changes });

describe('what the wire showed', () => {
  const table: [string, TransportFacts, SessionFacts | undefined, Record<string, unknown>][] = [
    ['old versions refused', probe(), seen(), { legacyRefused: true, plaintextRefused: true, livePlaintextSessions: 0, pooler: false }],
    ['one old version accepted', probe({ accepted: ['TLSv1.1'], refused: [] }), seen(), { legacyRefused: false }],
    ['one old version accepted beside new ones', probe({ accepted: ['TLSv1.3', 'TLSv1.0'], refused: [] }), seen(), { legacyRefused: false }],
    ['an old version that could not be tried is unknown', probe({ refused: ['TLSv1.1'] }), seen(), { legacyRefused: undefined }],
    ['a plaintext attempt without an answer is unknown', { observedAt: '', accepted: [], refused: [] }, seen(), { plaintextRefused: undefined, version: undefined }],
    ['without a login sessions and pooler are unknown', probe(), undefined, { livePlaintextSessions: undefined, pooler: undefined }],
    ['no plaintext among the sessions one may see is unknown', probe(), seen({ complete: false }), { livePlaintextSessions: undefined }],
    ['some plaintext among them is certain', probe(), seen({ complete: false, plaintext: 2 }), { livePlaintextSessions: 2 }],
    ['a backend that sees no TLS is behind a pooler', probe(), seen({ own: { tls: false, serverAddressMatches: true } }), { pooler: true }],
    ['a foreign server address is a pooler', probe(), seen({ own: { tls: true, serverAddressMatches: false } }), { pooler: true }],
  ];
  test.each(table)('%s', (_, facts, sessions, expected) => {
    const status: Record<string, unknown> = { ...transportStatus(facts, sessions) };
    for (const [member, value] of Object.entries(expected)) expect([member, status[member]]).toEqual([member, value]);
  });

  test('is told by version, cipher and certificate, and of what did not come up nothing', () => {
    const certificate = { subject: 'CN=db', issuer: 'CN=ca', notBefore: '2026-01-01T00:00:00Z', notAfter: '2027-01-01T00:00:00Z', keyType: 'rsa', keyBits: 2048, trusted: true, nameMatches: true };
    expect(transportStatus(probe({ cipher: 'TLS_AES_256_GCM_SHA384', certificate }), undefined)).toEqual({ version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', plaintextRefused: true, legacyRefused: true, certificate: { notAfter: '2027-01-01T00:00:00Z', issuer: 'CN=ca', keyBits: 2048 } });
    expect(transportStatus({ observedAt: '', accepted: [], refused: [] }, undefined)).toEqual({});
  });
});

const rulesOf = (effective: EffectiveCollection[], problems: MapProblem[] = []): Parameters<typeof retentionStatus>[1] => ({ effective, resolved: { collections: [], nonPersonal: [], problems } as unknown as Parameters<typeof retentionStatus>[1]['resolved'] });

describe('the counts', () => {
  const effective = effectiveRules([aCollection({ id: 'a' }), aCollection({ id: 'b' })], [aPolicy('general', { maximum: aMaximum('P1Y') })], '2026-03-02T12:00:00Z');

  test('of a collection that could not be counted are none, and there is no total then', () => {
    const uncounted = { reason: 'PermissionDenied' as const, message: 'observe lacks a privilege; grant it' };
    const status = retentionStatus([count('a', { exact: false, uncounted }), count('b', { due: 5, oldestDue: '2024-06-01T12:00:00Z' })], rulesOf(effective));
    expect(status).not.toHaveProperty('due');
    expect(status.worst).toEqual([expect.objectContaining({ collection: 'b', due: 5 }), { collection: 'a', why: 'not counted: observe lacks a privilege; grant it' }]);
  });

  test('add up, the worst first, each with the policy that decides and since when it is due', () => {
    const status = retentionStatus([count('a', { due: 1, oldestDue: '2024-06-01T12:00:00Z' }), count('b', { due: 5, held: 2, floored: 3, blocked: 7, blockedForever: 1, indeterminate: 4 })], rulesOf(effective));
    expect(status).toMatchObject({ due: 6, held: 2, blockedByMinimum: 3, blockedByReference: 7, blockedForever: 1, indeterminate: 4, oldestDue: '2025-06-02T00:00:00Z', truncated: 0 });
    expect(status.worst?.map((row) => [row.collection, row.policy, row.oldestDue])).toEqual([['b', 'platform-db/general', undefined], ['a', 'platform-db/general', '2025-06-02T00:00:00Z']]);
  });

  test.each<[string, EffectiveCollection[], MapProblem[], unknown]>([
    ['a collection whose table is not there', effective, [{ reason: 'MissingTable', collection: 'c', message: 'table c is not there' }], { collection: 'c', why: 'table c is not there' }],
    ['a collection whose start event has no column any more', effectiveRules([aCollection({ id: 'a', times: {} })], [aPolicy('general', { maximum: aMaximum('P1Y') })], '2026-03-02T12:00:00Z'), [], { collection: 'a', why: expect.stringContaining('start event') }],
    ['a collection without a column the policy names', effectiveRules([aCollection({ id: 'a', columns: ['id'] })], [aPolicy('general', { maximum: aMaximum('P1Y'), rows: { where: [{ field: 'status', operator: 'In', values: ['x'] }] } })], '2026-03-02T12:00:00Z'), [], { collection: 'a', why: expect.stringContaining('column') }],
  ])('have no totals where nobody can say what is due: %s', (_, rules, problems, told) => {
    const status = retentionStatus([count('a')], rulesOf(rules, problems));
    expect(Object.keys(status)).toEqual(['worst', 'truncated']);
    expect(status.worst).toContainEqual(expect.objectContaining(told as object));
  });

  test.each<[string, Partial<CollectionCount>]>([
    ['due', { due: 1 }],
    ['held', { held: 1 }],
    ['kept by a minimum', { floored: 1 }],
    ['kept by what refers to them', { blocked: 1 }],
    ['of no known time', { indeterminate: 1 }],
  ])('name a collection with one row that is %s', (_, changes) => {
    expect(retentionStatus([count('a', changes)], rulesOf(effective)).worst?.map(({ collection }) => collection)).toEqual(['a']);
  });

  test('name those with as many due rows by name, and since when the oldest of all is due', () => {
    const status = retentionStatus([count('b', { due: 2, oldestDue: '2024-06-01T12:00:00Z' }), count('a', { due: 2, oldestDue: '2024-01-01T12:00:00Z' })], rulesOf(effective));
    expect([status.worst?.map(({ collection }) => collection), status.oldestDue]).toEqual([['a', 'b'], '2025-01-02T00:00:00Z']);
  });

  test('name a collection once, whatever its map is told besides', () => {
    const status = retentionStatus([count('a', { due: 1 })], rulesOf(effective, [{ reason: 'MissingColumn', collection: 'a', message: 'column x is not there' }]));
    expect(status).toMatchObject({ due: 1, worst: [{ collection: 'a' }] });
  });

  test('of a collection with nothing to say are not listed; fifty are, the rest is counted', () => {
    expect(retentionStatus([count('a')], rulesOf(effective))).toMatchObject({ due: 0, worst: [], truncated: 0 });
    const many = retentionStatus(Array.from({ length: 60 }, (_, index) => count(`c${index}`, { due: 1 })), rulesOf([]));
    expect([many.worst?.length, many.truncated, many.due]).toEqual([50, 10, 60]);
  });

  const why: [string, Parameters<typeof effectiveRules>, Partial<CollectionCount>, RegExp][] = [
    ['they are lower bounds', [[aCollection()], [], ''], { exact: false }, /at least these rows/],
    ['a minimum outlasts the maximum', [[aCollection()], [aPolicy('a', { maximum: aMaximum('P1Y'), minimum: aMinimum('P2Y') })], '2026-03-02T12:00:00Z'], {}, /ends after maximum/],
    ['values that are none of their columns keep every row', [[aCollection()], [], ''], { unreadable: 2 }, /^2 values of its rules, or of holds on it, cannot be read .* keeps every row; correct/],
    ['a start event is missing', [[aCollection({ times: {} })], [aPolicy('a', { maximum: aMaximum('P1Y') })], '2026-03-02T12:00:00Z'], {}, /start event/],
    ['rows that refer to them have to stay', [[aCollection()], [], ''], { blocked: 2 }, /they keep these/],
    ['rows that refer to them have no maximum', [[aCollection()], [], ''], { blocked: 2, blockedForever: 1 }, /for ever; give the collections that refer to it a maximum/],
    ['two maps claim the table', [[aCollection({ problems: [{ reason: 'MapOverlap', collection: '', message: '' }] })], [aPolicy('a', { maximum: aMaximum('P1Y') })], '2026-03-02T12:00:00Z'], {}, /two maps claim its table/],
  ];
  test.each(why)('say why: %s', (_, rules, changes, words) => {
    expect(retentionStatus([count('platform-db/web/views', changes)], rulesOf(effectiveRules(...rules))).worst?.[0]?.why).toMatch(words);
  });
});

describe('the status of a store', () => {
  const inventory = anInventory([aTable('views', ['id'])]);
  const rules = (store: DataStore, mapped: boolean): NonNullable<Observation['rules']> => storeRules(store, { maps: mapped ? [aMap([{}])] : [], policies: [], holds: [], namespaces: new Map(), rootNamespace: 'x' }, inventory, '2026-03-02T12:00:00Z');
  const full = (mapped = true): Observation => ({
    generation: 1,
    installed: true,
    identity: { fingerprint: 'sha256:a', bareFingerprint: 'sha256:b', server: 'PostgreSQL 15', timeline: 1, replica: false },
    verdict: { is: 'New' },
    transport: { at: NOW, facts: probe(), sessions: seen() },
    inventory: { at: NOW - 60_000, inventory },
    counts: { at: NOW - 3_600_000, rules: 'r', counts: [] },
    rules: rules(aStore(), mapped),
    logins: { observe: 'Works', enforce: 'Works', verify: 'Works' },
  });
  const conditions = (status: DataStoreStatus): Record<string, string> => Object.fromEntries((status.conditions ?? []).map((condition) => [condition.type, `${condition.status} ${condition.reason}`]));
  const empty: Observation = { generation: 1, installed: false, logins: {} };
  const unreachable = { reason: 'Unreachable', message: 'no answer' } as const;

  test('after a whole look has every group, and is good until the first of them expires', () => {
    const status = dataStoreStatus(aStore(), full(), NOW);
    expect(status.facts?.map((group) => [group.group, group.validUntil])).toEqual([
      ['transport', '2026-03-02T12:15:00.000Z'],
      ['coverage', '2026-03-02T12:44:00.000Z'],
      ['retention', '2026-03-04T11:00:00.000Z'],
    ]);
    expect(status.validUntil).toBe('2026-03-02T12:15:00.000Z');
    expect(conditions(status)).toEqual({ Ready: 'True Evaluated', Reachable: 'True Connected', Authorized: 'True Authorized', Covered: 'True FullyCovered' });
    expect(status.identity).toEqual({ fingerprint: 'sha256:a', server: 'PostgreSQL 15', timeline: 1 });
  });

  test.each<[string, DataStoreStatus['identity'], number | undefined, number | undefined]>([
    ['the one that was read', { fingerprint: 'sha256:a', server: '', timeline: 1, watermark: 7 }, 9, 9],
    ['the one of before where this login may not read it', { fingerprint: 'sha256:a', server: '', timeline: 1, watermark: 7 }, undefined, 7],
    ['none where that was of another store', { fingerprint: 'sha256:z', server: '', timeline: 1, watermark: 7 }, undefined, undefined],
    ['none where there never was one', undefined, undefined, undefined],
  ])('has as watermark %s', (_, before, read, kept) => {
    const observation = full();
    const status = dataStoreStatus(aStore({}, {}, before ? { identity: before } : {}), { ...observation, identity: { ...observation.identity!, ...(read === undefined ? {} : { watermark: read }) } }, NOW);
    expect(status.identity?.watermark).toBe(kept);
    if (kept === undefined) expect(status.identity).not.toHaveProperty('watermark');
  });

  test('that a person confirmed as put back says so with the time of this restore, not that of an earlier one', () => {
    const earlier = { type: 'Restored', status: 'True', reason: 'Restored', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' } as const;
    const status = dataStoreStatus(aStore({}, {}, { conditions: [earlier] }), { ...full(), verdict: { is: 'Restored' } }, NOW);
    expect(getCondition(status.conditions, 'Restored')).toMatchObject({ status: 'True', lastTransitionTime: '2026-03-02T12:00:00Z', message: expect.stringMatching(/approvals of before are void/) });
    expect(getCondition(dataStoreStatus(aStore({}, {}, { conditions: [earlier] }), full(), NOW).conditions, 'Restored')).toEqual(earlier);
  });

  test('that somebody froze in itself says who and why, until it is seen thawed', () => {
    const frozen = { by: 'database role oncall', reason: 'incident 7', at: '2026-03-02T11:59:00Z' };
    const status = dataStoreStatus(aStore(), { ...full(), fence: { frozen } }, NOW);
    expect(getCondition(status.conditions, 'Frozen')).toMatchObject({ status: 'True', reason: 'Frozen', message: 'Frozen in the store by database role oncall since 2026-03-02T11:59:00Z: incident 7. Nothing is deleted there until SELECT dataward.thaw() is called in it.' });
    const later = aStore({}, {}, status);
    expect(getCondition(dataStoreStatus(later, { ...empty, failure: unreachable }, NOW).conditions, 'Frozen')?.status).toBe('True');
    expect(getCondition(dataStoreStatus(later, { ...full(), fence: {} }, NOW).conditions, 'Frozen')).toBeUndefined();
  });

  test('says in each condition why', () => {
    const message = (observation: Observation, type: string): string | undefined => getCondition(dataStoreStatus(aStore(), observation, NOW).conditions, type)?.message;
    expect([message(empty, 'Reachable'), message(empty, 'Covered')]).toEqual(['The store has not been asked yet.', 'The tables have not been read yet.']);
    const down = { ...empty, failure: unreachable };
    expect([message(down, 'Reachable'), message(down, 'Covered')]).toEqual(['no answer', 'no answer']);
    expect(message(full(), 'Covered')).toBe('All 1 tables are described or declared free of personal data.');
    const { verdict: _verdict, ...rest } = full();
    const other = dataStoreStatus(aStore(), { ...rest, verdict: { is: 'TargetChanged', message: 'another store answers' } } as Observation, NOW);
    expect(getCondition(other.conditions, 'Ready')?.message).toContain('another store answers');
    expect(dataStoreStatus(aStore(), { ...full(), probeFailure: { reason: 'Unreachable', message: 'no handshake' } }, NOW).facts?.map(({ message: told }) => told)).toEqual(['no handshake', undefined, undefined]);
  });

  test('of nothing is unknown, not good', () => {
    const status = dataStoreStatus(aStore(), { ...empty, failure: unreachable, probeFailure: unreachable }, NOW);
    expect(conditions(status)).toEqual({ Ready: 'False Unreachable', Reconciling: 'True Unreachable', Reachable: 'False Unreachable', Authorized: 'Unknown Unreachable', Covered: 'Unknown Unreachable' });
    expect(status).not.toHaveProperty('validUntil');
    expect(status.facts?.every((group) => group.observedAt === undefined)).toBe(true);
  });

  test('shows no figure of before that is not known any more', () => {
    const before = dataStoreStatus(aStore(), full(), NOW);
    const after = dataStoreStatus(aStore({}, {}, before), { ...empty, failure: unreachable }, NOW + 1_000);
    for (const group of ['transport', 'coverage', 'retention', 'validUntil']) expect(after).not.toHaveProperty(group);
    expect(after.identity).toEqual(before.identity);
  });

  const MINUTE = 60_000;
  const groups = (status: DataStoreStatus): string[] => ['transport', 'coverage', 'retention'].filter((group) => group in status);

  test.each<[string, number, string[], string, string]>([
    ['all, within the cadence', 14 * MINUTE, ['transport', 'coverage', 'retention'], 'True FullyCovered', '2026-03-02T12:15:00.000Z'],
    ['tables and rows, past three looks at the wire', 16 * MINUTE, ['coverage', 'retention'], 'True FullyCovered', '2026-03-02T12:44:00.000Z'],
    ['rows, past three looks at the tables', 45 * MINUTE, ['retention'], 'Unknown FactsExpired', '2026-03-04T11:00:00.000Z'],
    ['nothing, past two days', 2 * 86_400_000, [], 'Unknown FactsExpired', '2026-03-04T11:00:00.000Z'],
    ['nothing, before the clock was put back that noted it', -6 * 3_600_000, [], 'Unknown FactsExpired', 'none'],
  ])('that cannot be reached says what it still knows: %s', (_, later, known, covered, validUntil) => {
    const { identity: _identity, verdict: _verdict, ...rest } = full();
    const remembered = { ...rest, logins: {} };
    const before = dataStoreStatus(aStore(), full(), NOW);
    const status = dataStoreStatus(aStore({}, {}, before), { ...remembered, failure: unreachable }, NOW + later);
    expect([groups(status), conditions(status)['Covered'], status.validUntil ?? 'none']).toEqual([known, covered, validUntil]);
    // When each group was read, and until when that counted, stays to be seen.
    expect(status.facts?.map((group) => group.validUntil)).toEqual(before.facts?.map((group) => group.validUntil));
  });

  test('is never good for longer than what it shows, and shows nothing that is not good now', () => {
    const age = fc.option(fc.integer({ min: -3_600_000, max: 3 * 86_400_000 }), { nil: undefined });
    fc.assert(
      fc.property(age, age, age, (transport, inventoryAge, counts) => {
        const all = full();
        const seen: Observation = {
          ...empty,
          failure: unreachable,
          ...(transport === undefined || !all.transport ? {} : { transport: { ...all.transport, at: NOW - transport } }),
          ...(inventoryAge === undefined || !all.rules ? {} : { inventory: { at: NOW - inventoryAge, inventory }, rules: all.rules }),
          ...(counts === undefined || inventoryAge === undefined || !all.counts ? {} : { counts: { ...all.counts, at: NOW - counts } }),
        };
        const status = dataStoreStatus(aStore(), seen, NOW);
        const shown = groups(status);
        const ends = (status.facts ?? []).filter(({ group }) => shown.includes(group)).map(({ validUntil }) => Date.parse(validUntil ?? ''));
        const until = status.validUntil === undefined ? Number.NEGATIVE_INFINITY : Date.parse(status.validUntil);
        expect(ends.every((end) => end >= NOW)).toBe(true);
        if (shown.length > 0) expect(until).toBe(Math.min(...ends));
        else expect(until).toBeLessThan(NOW);
        expect(getCondition(status.conditions, 'Covered')?.status === 'Unknown').toBe(!shown.includes('coverage'));
      }),
      { numRuns: runs(200) },
    );
  });

  test('says since when the tables are not known, and why', () => {
    const { identity: _identity, verdict: _verdict, ...rest } = full();
    const remembered = { ...rest, logins: {} };
    const status = dataStoreStatus(aStore(), { ...remembered, failure: unreachable }, NOW + 60 * MINUTE);
    expect(getCondition(status.conditions, 'Covered')).toMatchObject({ type: 'Covered', message: 'What was read of the tables at 2026-03-02T11:59:00.000Z counted until 2026-03-02T12:44:00.000Z: no answer' });
  });

  test('whose clock differs is reached and not ready, with no time that a dead operator could look fresh by', () => {
    const { generation, installed, identity, verdict } = full();
    const skewed = { generation, installed, identity, verdict, logins: {}, failure: { reason: 'ClockSkew', message: 'differ by 7200 s' } } as Observation;
    const status = dataStoreStatus(aStore({}, {}, dataStoreStatus(aStore(), full(), NOW)), skewed, NOW + 7_200_000);
    expect(conditions(status)).toEqual({ Ready: 'False ClockSkew', Reconciling: 'True ClockSkew', Reachable: 'True Connected', Authorized: 'Unknown ClockSkew', Covered: 'Unknown ClockSkew' });
    for (const group of ['transport', 'coverage', 'retention', 'validUntil']) expect(status).not.toHaveProperty(group);
    expect(status.facts?.flatMap((group) => group.validUntil ?? [])).toEqual([]);
  });

  test('names the first table nobody described', () => {
    expect(getCondition(dataStoreStatus(aStore(), full(false), NOW).conditions, 'Covered')).toMatchObject({ status: 'False', reason: 'Unclassified', message: '1 of 1 tables are not fully described, first public.views: no map names it; describe them in a DataMap' });
  });

  test('keeps the identity of the store it was when another answers, and says so until a person decides', () => {
    const known = aStore({}, {}, { identity: { fingerprint: 'sha256:old' } });
    const { inventory: _inventory, rules: _rules, counts: _counts, ...rest } = { ...full(), logins: {} };
    const status = dataStoreStatus(known, { ...rest, verdict: { is: 'TargetChanged', message: 'another store answers' } }, NOW);
    expect(status.identity).toEqual({ fingerprint: 'sha256:old' });
    expect(conditions(status)).toEqual({ Ready: 'False TargetChanged', Stalled: 'True TargetChanged', Reachable: 'True Connected', Authorized: 'Unknown TargetChanged', Covered: 'Unknown TargetChanged' });
  });

  test('that went back in time says so until it is seen otherwise', () => {
    const rewound = dataStoreStatus(aStore(), { ...full(), verdict: { is: 'Rewound', message: 'timeline 3 to 2' } }, NOW);
    expect(conditions(rewound)['Rewound']).toBe('True Rewound');
    const lost = dataStoreStatus(aStore({}, {}, rewound), { ...empty, failure: unreachable }, NOW);
    expect(conditions(lost)['Rewound']).toBe('True Rewound');
    expect(conditions(dataStoreStatus(aStore({}, {}, lost), full(), NOW))).not.toHaveProperty('Rewound');
  });

  test('that answered the probe and refused the login is reached, not ready', () => {
    const { identity: _identity, verdict: _verdict, ...refused } = full();
    expect(conditions(dataStoreStatus(aStore(), { ...refused, failure: { reason: 'AuthenticationFailed', message: 'refused' } }, NOW))).toMatchObject({ Ready: 'False AuthenticationFailed', Reachable: 'True AuthenticationFailed' });
    expect(conditions(dataStoreStatus(aStore(), { ...refused, failure: { reason: 'PoolerRefused', message: 'a pooler answers' } }, NOW))).toMatchObject({ Ready: 'False PoolerRefused', Reachable: 'False PoolerRefused' });
  });

  test('moves a transition time only with its status, and leaves the conditions of others', () => {
    const compliant = { type: 'Compliant', status: 'True', reason: 'AllControlsPass', message: 'x', lastTransitionTime: '2026-01-01T00:00:00Z' } as const;
    const first = dataStoreStatus(aStore({}, {}, { conditions: [compliant] }), full(), NOW);
    const second = dataStoreStatus(aStore({}, {}, first), full(), NOW + 60_000);
    expect(second.conditions).toEqual(first.conditions);
    expect(getCondition(second.conditions, 'Compliant')).toEqual(compliant);
    const third = dataStoreStatus(aStore({}, {}, second), { ...empty, failure: unreachable }, NOW + 120_000);
    expect(getCondition(third.conditions, 'Ready')?.lastTransitionTime).toBe('2026-03-02T12:02:00Z');
  });
});
