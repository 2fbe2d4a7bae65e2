import { describe, expect, test } from '@jest/globals';
import { getCondition } from '../../../src/api/conditions.ts';
import { policyInput, type Evidence } from '../../../src/compliance/plan.ts';
import { compliantCondition, withCompliant } from '../../../src/compliance/status.ts';
import type { PurgeRun } from '../../../src/api/generated/purgeRun.ts';
import type { EntryPointReading, EntryPointsReading } from '../../../src/connect/entry-points.ts';
import { COUNTS_VALID_MS, type Readings } from '../../../src/connect/readings.ts';
import type { PolicyInput } from '../../../src/policy/input.ts';
import type { ControlResult, Outcome } from '../../../src/policy/result.ts';
import { storeRules } from '../../../src/rules/store-rules.ts';
import { aHold, aMap, aMaximum, aMinimum, anInventory, aPolicy, aPurge, aStore, aTable } from '../../support/declared.ts';
import { aRun } from '../retention/run/declared-run.ts';

const NOW = Date.parse('2026-03-02T12:00:00Z');
const ISO = '2026-03-02T12:00:00Z';
const params = { minTLSVersion: '1.2', certExpiryWindow: 1, minRSABits: 1, minECBits: 1, minHSTSMaxAge: 1, maxIndeterminateRows: 0, purgeGrace: 1, purgeInterval: 1, holdReviewInterval: 1, scanInterval: 1 } as const;
const inventory = anInventory([aTable('views', ['id', 'viewed_at'])], { otherDatabases: ['z', 'a'], otherDeleters: ['pg_cron'] });
const map = aMap([{ times: [{ event: 'Created', field: 'viewed_at' }] }]);
const general = aPolicy('general', { maximum: aMaximum('P1Y'), purge: aPurge() });
const rulesOf = (maps = [map], policies = [general]): NonNullable<Readings['rules']> => storeRules(aStore(), { maps, policies, holds: [], namespaces: new Map(), rootNamespace: 'x' }, inventory, ISO);
const input = (changes: Partial<Evidence> = {}): PolicyInput => policyInput({ store: aStore(), entryPoints: [], holds: [], maps: 'sha256:now', policies: [], runs: [], params, now: NOW, ...changes });
const collections = (rules: Readings['rules']): Record<string, unknown>[] => (input({ readings: { generation: 1, inventory: { at: NOW, inventory }, ...(rules ? { rules } : {}) } }).collections ?? []) as unknown as Record<string, unknown>[];

describe('what is not known is left out', () => {
  test('of a store nobody has read: no facts, no collections', () => {
    const { facts, ...rest } = input();
    expect(facts).toEqual({});
    expect(rest).not.toHaveProperty('collections');
  });

  test('of tables that were read too long ago: no collections, and nobody says who else deletes; the facts tell that they are old', () => {
    const seen = (now: number): PolicyInput => input({ now, holds: [aHold([{}])], readings: { generation: 1, inventory: { at: NOW, inventory }, rules: rulesOf() } });
    const [fresh, old, wrong] = [seen(NOW + 2_700_000), seen(NOW + 2_700_001), seen(NOW - 60_001)];
    expect([fresh.collections?.length, fresh.holds?.[0]?.otherDeleters]).toEqual([1, ['pg_cron']]);
    for (const each of [old, wrong]) {
      expect(each).not.toHaveProperty('collections');
      expect(each.holds?.[0]).not.toHaveProperty('otherDeleters');
      expect(each.facts.coverage?.validUntil).toBe(NOW / 1000 + 2_700);
    }
  });

  test('of a handshake that decided nothing', () => {
    const { transport } = input({ readings: { generation: 1, transport: { at: NOW, facts: { observedAt: ISO, accepted: ['TLSv1.3'], refused: ['TLSv1.1'] } } } }).facts;
    expect(Object.keys(transport ?? {}).toSorted()).toEqual(['observedAt', 'validUntil']);
  });

  test('of a certificate without a known strength or a readable time', () => {
    const certificate = { subject: '', issuer: '', notBefore: 'soon', notAfter: ISO, keyType: 'odd', keyBits: 0, trusted: true, nameMatches: true };
    const { transport } = input({ readings: { generation: 1, transport: { at: NOW, facts: { observedAt: ISO, accepted: [], refused: [], certificate } } } }).facts;
    expect(transport?.certificate).toEqual({ notAfter: NOW / 1000, trusted: true, nameMatches: true });
  });

  test('of sessions a login may not see, though not of plaintext it saw', () => {
    const sessions = (plaintext: number): number | undefined =>
      input({ readings: { generation: 1, transport: { at: NOW, facts: { observedAt: ISO, accepted: [], refused: [] }, sessions: { total: 1, plaintext, complete: false, own: { tls: true, serverAddressMatches: true } } } } }).facts.transport?.livePlaintextSessions;
    expect([sessions(0), sessions(2)]).toEqual([undefined, 2]);
  });
});

describe('what is known is said', () => {
  test('of an old version: one accepted settles it, refused only when both were', () => {
    const legacy = (accepted: string[], refused: string[]): boolean | undefined => input({ readings: { generation: 1, transport: { at: NOW, facts: { observedAt: ISO, accepted, refused } } } }).facts.transport?.legacyRefused;
    expect([legacy(['TLSv1.0'], []), legacy([], ['TLSv1.0', 'TLSv1.1']), legacy([], ['TLSv1.0'])]).toEqual([false, true, undefined]);
  });

  const transport = (facts: object, sessions?: object): PolicyInput['facts']['transport'] => input({ readings: { generation: 1, transport: { at: NOW, facts: { observedAt: ISO, accepted: [], refused: [], ...facts }, ...(sessions ? { sessions } : {}) } } as Readings }).facts.transport;

  test('of a handshake: until when, by which version, and what was refused', () => {
    expect(transport({ version: 'TLSv1.0', plaintextRefused: false, accepted: ['TLSv1.0', 'TLSv1.2'] })).toEqual({ observedAt: NOW / 1000, validUntil: NOW / 1000 + 900, version: 'TLSv1', plaintextRefused: false, legacyRefused: false, tls12Refused: false });
    expect(transport({ version: 'TLSv1.3', plaintextRefused: true, refused: ['TLSv1.0', 'TLSv1.1', 'TLSv1.2'] })).toMatchObject({ version: 'TLSv1.3', plaintextRefused: true, legacyRefused: true, tls12Refused: true });
    expect(transport({ accepted: ['TLSv1.1'], refused: ['TLSv1.0'] })).toMatchObject({ legacyRefused: false });
  });

  test.each<[string, object, object]>([
    ['through nothing else', { tls: true, serverAddressMatches: true }, { pooler: false, livePlaintextSessions: 0 }],
    ['through something that ends the encryption', { tls: false, serverAddressMatches: true }, { pooler: true }],
    ['through another address', { tls: true, serverAddressMatches: false }, { pooler: true }],
  ])('of sessions: they come %s', (_, own, said) => {
    expect(transport({}, { total: 1, plaintext: 0, complete: true, own })).toMatchObject(said);
  });

  test.each([['rsa', 'RSA'], ['RSA-PSS', 'RSA'], ['ec', 'EC'], ['ed25519', 'Ed25519'], ['ed448', 'Ed448'], ['dsa', 'DSA']])('of a certificate: a key of kind %s is %s', (keyType, said) => {
    const certificate = { subject: '', issuer: '', notBefore: '2026-03-01T12:00:00Z', notAfter: ISO, keyType, keyBits: 256, trusted: false, nameMatches: false };
    expect(transport({ certificate })?.certificate).toEqual({ notBefore: NOW / 1000 - 86_400, notAfter: NOW / 1000, keyType: said, keyBits: 256, trusted: false, nameMatches: false });
  });

  test('of a collection that could not be counted: nothing, since its zeros would pass', () => {
    const none = { due: 0, held: 0, floored: 0, blocked: 0, blockedForever: 0, indeterminate: 0 };
    const counts = [{ collection: 'platform-db/web/views', ...none, exact: false, uncounted: { reason: 'PermissionDenied', message: 'x' } }, { collection: 'platform-db/web/orders', ...none, exact: true }];
    const { retention } = input({ readings: { generation: 1, rules: rulesOf(), counts: { at: NOW, rules: 'r', counts } } as Readings }).facts;
    expect(retention?.collections.map(({ name }) => name)).toEqual(['platform-db/web/orders']);
  });

  test('of where a store is: the region only where one is declared', () => {
    expect(input().store.residency).toEqual({ country: 'DE' });
    expect(input({ store: aStore({ residency: { country: 'DE', region: 'eu-central-1' } }) }).store.residency).toEqual({ country: 'DE', region: 'eu-central-1' });
  });

  test('of counted collections: each figure under its name, and since when the oldest row is due', () => {
    const counts = { at: NOW, rules: 'r', counts: [{ collection: 'platform-db/web/views', due: 1, held: 2, floored: 3, blocked: 4, blockedForever: 5, indeterminate: 6, exact: false, oldestDue: '2025-03-01T00:00:00Z' }, { collection: 'platform-db/web/gone', due: 0, held: 0, floored: 0, blocked: 0, blockedForever: 0, indeterminate: 0, exact: true }] } as NonNullable<Readings['counts']>;
    const { retention } = input({ readings: { generation: 1, rules: rulesOf(), counts } }).facts;
    expect(retention).toMatchObject({ observedAt: NOW / 1000, validUntil: (NOW + COUNTS_VALID_MS) / 1000, collections: [{ name: 'platform-db/web/views', due: 1, held: 2, blockedByMinimum: 3, blockedByReference: 4, blockedForever: 5, indeterminate: 6, exact: false }, { name: 'platform-db/web/gone', due: 0, exact: true }] });
    // One year after it began.
    expect(new Date((retention?.collections[0]?.oldestDueAt ?? 0) * 1000).toISOString().slice(0, 10)).toMatch(/^2026-03-0[12]$/);
    expect(retention?.collections[1]).not.toHaveProperty('oldestDueAt');
  });

  test('of coverage, with overdue exemptions and databases in order', () => {
    const exempt = aMap([{}], { nonPersonal: [{ table: { schema: 'public', name: 'x' }, reason: 'x', by: 'y', reviewAt: '2026-03-01' }, { table: { schema: 'public', name: 'z' }, reason: 'x', by: 'y', reviewAt: '2025-03-01' }, { table: { schema: 'public', name: 'y' }, reason: 'x', by: 'y', reviewAt: '2026-04-01' }] });
    const { coverage } = input({ readings: { generation: 1, inventory: { at: NOW, inventory }, rules: rulesOf([exempt]) } }).facts;
    expect(coverage).toMatchObject({ observedAt: NOW / 1000, validUntil: NOW / 1000 + 2_700, tables: 1, mapped: 1, unclassified: 0, overdueExemptions: 2, undeclaredDatabases: ['a', 'z'] });
  });

  const point = (name: string, at = NOW): EntryPointReading => ({ name, tls: true, https: 'Served', question: '[]', at });
  const read = (at: number, names: string[], complete = true): EntryPointsReading => ({ at, complete, points: names.map((name) => point(name, at)) });

  test.each<[string, (EntryPointsReading | undefined)[], object | undefined]>([
    ['none where one namespace was not read: it may have the worst', [read(NOW, ['a']), undefined], undefined],
    ['those of all namespaces, as old as the oldest', [read(NOW, ['a']), read(NOW - 60_000, ['b'])], { observedAt: NOW / 1000 - 60, validUntil: NOW / 1000 + 1_740, complete: true, points: ['a', 'b'] }],
    ['one that two namespaces lead to once', [read(NOW, ['a']), read(NOW, ['a'])], { complete: true, points: ['a'] }],
    ['that there are more where one namespace has more', [read(NOW, ['a'], false), read(NOW, [])], { complete: false }],
    ['that there are more where there is no room for all', Array.from({ length: 6 }, (_, index) => read(NOW, Array.from({ length: 200 }, (_, each) => `${index}-${each}`))), { complete: false }],
    ['that there is none', [read(NOW, [])], { complete: true, points: [] }],
  ])('of entry points: %s', (_name, entryPoints, expected) => {
    const fact = input({ entryPoints }).facts.entryPoints;
    expect(fact && { ...fact, points: fact.points.map(({ name }) => name) }).toEqual(expected && expect.objectContaining(expected));
    for (const each of fact?.points ?? []) expect(each).toEqual({ name: each.name, tls: true, https: 'Served' });
  });

  test('of collections: who limits them, by which start, against whom', () => {
    expect(collections(rulesOf())).toMatchObject([{ name: 'platform-db/web/views', hasMaximum: true, hasMinimum: false, startEventResolved: true, conflicted: false, maximaFrom: ['platform-db/general'], policies: ['platform-db/general'] }]);
    expect(collections(rulesOf([map], [general, aPolicy('books', { minimum: aMinimum('P8Y') })]))).toMatchObject([{ conflicted: true, hasMinimum: true }]);
    expect(collections(rulesOf([aMap([{}])]))).toMatchObject([{ hasMaximum: false, startEventResolved: false }]);
    const closed = aMap([{ times: [{ event: 'Created', field: 'viewed_at' }, { event: 'Closed', field: 'viewed_at' }] }]);
    const both = [aPolicy('later', { maximum: { ...aMaximum('P1Y'), from: 'Closed' } as never }), general];
    expect(collections(rulesOf([closed], both))).toMatchObject([{ maximaFrom: ['platform-db/general', 'platform-db/later'] }]);
  });

  test('of collections: every category of theirs or of a field, and every policy that speaks of them, in order', () => {
    const fields = [{ name: 'mail', categories: ['user.contact.email'] }, { name: 'id' }] as never;
    const rich = aMap([{ categories: ['user.financial', 'user.behavior'], fields, times: [{ event: 'Created', field: 'viewed_at' }] }, { name: 'gone', table: { schema: 'public', name: 'gone' }, categories: ['user.behavior'], fields }]);
    const seen = anInventory([aTable('views', ['id', 'viewed_at', 'mail'])]);
    const policies = [aPolicy('z', { minimum: aMinimum('P1M') }), aPolicy('general', { maximum: aMaximum('P1Y') }), aPolicy('lax', { maximum: aMaximum('P9Y') })];
    const found = collections(storeRules(aStore(), { maps: [rich], policies, holds: [], namespaces: new Map(), rootNamespace: 'x' }, seen, ISO));
    expect(found.map(({ name, categories }) => [name, categories])).toEqual([['platform-db/web/views', ['user.behavior', 'user.contact.email', 'user.financial']], ['platform-db/web/gone', ['user.behavior', 'user.contact.email']]]);
    expect(found[0]?.['policies']).toEqual(['platform-db/general', 'platform-db/lax', 'platform-db/z']);
  });

  test('of collections: a start that is told by a column that is not there is not resolved', () => {
    expect(collections(rulesOf([map], [aPolicy('general', { maximum: aMaximum('P1Y'), rows: { where: [{ field: 'kind', operator: 'Exists' }] } })]))).toMatchObject([{ startEventResolved: false }]);
  });

  test('of a table two maps claim: its maximum limits nothing', () => {
    const rules = rulesOf([map, aMap([{ times: [{ event: 'Created', field: 'viewed_at' }] }], {}, { name: 'ads' })]);
    expect(collections(rules).map((each) => each['hasMaximum'])).toEqual([false, false]);
  });

  test('of a table without client key under rules for single clients: its maximum limits nothing', () => {
    expect(collections(rulesOf([map], [general, aPolicy('own', { maximum: aMaximum('P9Y'), clients: { keys: ['a'] } })]))).toMatchObject([{ hasMaximum: false }]);
  });

  test('of holds: whether they stand here in their newest words, and whether they hold everything', () => {
    const standing = { namespace: 'platform-db', name: 'analytics', enforcedSince: ISO };
    const one = (hold: ReturnType<typeof aHold>): unknown[] => {
      const [found] = input({ holds: [hold] }).holds ?? [];
      return [found?.state, found?.enforced, found?.blanket];
    };
    expect(one(aHold([{}]))).toEqual(['Pending', false, true]);
    expect(one(aHold([{ collections: { names: ['views'] } }], {}, {}, { state: 'Active', observedGeneration: 1, stores: [standing] }))).toEqual(['Active', true, false]);
    expect(one(aHold([{ clients: { keys: ['a'] } }], {}, { generation: 2 }, { state: 'Active', observedGeneration: 1, stores: [standing] }))).toEqual(['Active', false, false]);
    expect(one(aHold([{}], {}, {}, { state: 'Active', observedGeneration: 1, stores: [], truncated: 3 }))).toEqual(['Active', undefined, true]);
    // It is named there because it could not be reached.
    const { enforcedSince: _since, ...unreached } = standing;
    expect(one(aHold([{}], {}, {}, { state: 'Active', observedGeneration: 1, stores: [unreached], truncated: 3 }))).toEqual(['Active', false, true]);
    expect(one(aHold([{}], {}, {}, { state: 'Active', observedGeneration: 1, stores: [standing], truncated: 3 }))).toEqual(['Active', true, true]);
    // By other maps it keeps other rows.
    expect(one(aHold([{}], {}, {}, { state: 'Active', observedGeneration: 1, stores: [{ ...standing, maps: 'sha256:before' }], truncated: 3 }))).toEqual(['Active', false, true]);
  });

  test('of holds: who keeps them, on what basis, and until when they are to be looked at', () => {
    const one = (spec: Parameters<typeof aHold>[1], metadata: Parameters<typeof aHold>[2] = {}): object | undefined => input({ holds: [aHold([{}], spec, metadata)] }).holds?.[0];
    expect(one({})).toMatchObject({ name: 'platform-db/matter-1', reviewAt: Date.parse('2027-01-01') / 1000, custodianNamed: true, basisStated: true, jurisdiction: 'DE' });
    expect(one({ custodian: '' })).toMatchObject({ custodianNamed: false });
    expect(one({ basis: { type: 'LegalClaims', jurisdiction: 'DE', reference: '' } })).toMatchObject({ basisStated: false });
    const nowhere = one({ basis: { type: 'LegalClaims', reference: 'x' } as never, reviewAt: 'soon' });
    expect(nowhere).toMatchObject({ basisStated: false });
    for (const name of ['jurisdiction', 'reviewAt']) expect(nowhere).not.toHaveProperty(name);
  });

  test.each<[string, Parameters<typeof aHold>[0], boolean]>([
    ['everything of everybody at all times', [{}], true],
    ['one of its blocks does', [{ clients: { keys: ['a'] } }, {}], true],
    ['some collections', [{ collections: { names: ['views'] } }], false],
    ['some clients', [{ clients: { keys: ['a'] } }], false],
    ['some persons', [{ subjects: { secretName: 'people' } }], false],
    ['some time', [{ between: { event: 'Created', start: '2026-01-01', end: '2026-02-01' } } as never], false],
  ])('of holds: whether they keep without bounds: %s', (_, scope, blanket) => {
    expect(input({ holds: [aHold(scope)] }).holds?.[0]?.blanket).toBe(blanket);
  });

  test('of holds: a store of the same name elsewhere, or another beside it, is not this one', () => {
    const at = (namespace: string, name: string): unknown => input({ holds: [aHold([{}], {}, {}, { state: 'Active', observedGeneration: 1, stores: [{ namespace, name, enforcedSince: ISO }] })] }).holds?.[0]?.enforced;
    expect([at('platform-db', 'analytics'), at('shop', 'analytics'), at('platform-db', 'orders')]).toEqual([true, false, false]);
  });

  const over = (collection: string, day: number, state: string, verification?: object): PurgeRun => {
    const run = aRun({}, { state, startedAt: ISO, ...(verification ? { verification } : {}) } as PurgeRun['status'], `${collection}-${day}`);
    const steps = [{ ...run.spec.plan.steps[0], collection: `platform-db/web/${collection}` }] as PurgeRun['spec']['plan']['steps'];
    return { ...run, metadata: { ...run.metadata, creationTimestamp: `2026-03-0${day}T02:00:00Z` }, spec: { ...run.spec, plan: { ...run.spec.plan, steps } } };
  };
  const proven = (day: number, heldUnchanged = true): object => ({ level: 'VerifiedLive', at: `2026-03-0${day}T03:00:00Z`, heldUnchanged });
  const times = [{ event: 'Created', field: 'viewed_at' as const, type: 'TimestampTZ' as const }];
  const two = aMap([{ name: 'views', times }, { name: 'orders', table: { schema: 'public', name: 'orders' }, times }]);
  const both = anInventory([aTable('views', ['id', 'viewed_at']), aTable('orders', ['id', 'viewed_at'])]);
  const rules = storeRules(aStore(), { maps: [two], policies: [general], holds: [], namespaces: new Map(), rootNamespace: 'x' }, both, ISO);

  const together = (day: number): PurgeRun => {
    const run = over('views', day, 'Succeeded', proven(day));
    return { ...run, spec: { ...run.spec, plan: { ...run.spec.plan, steps: ['views', 'orders'].map((name) => ({ ...run.spec.plan.steps[0]!, collection: `platform-db/web/${name}` })) } } };
  };

  test.each<[string, PurgeRun[], object]>([
    ['one that failed since it was proven in a run with others is proven up to that', [together(1), over('views', 2, 'Failed', proven(2)), over('orders', 3, 'Succeeded', proven(3))], { lastState: 'Failed', lastVerifiedAt: Date.parse('2026-03-01T03:00:00Z') / 1000, heldUnchanged: true }],
    ['one group that failed is not hidden by another that succeeded since', [over('views', 1, 'Succeeded', proven(1)), over('views', 2, 'Failed', proven(2)), over('orders', 3, 'Succeeded', proven(3))], { lastState: 'Failed', lastVerifiedAt: Date.parse('2026-03-01T03:00:00Z') / 1000, heldUnchanged: true }],
    ['one group that waits is proven only as far as it was before', [over('views', 1, 'Succeeded', proven(1)), over('views', 2, 'Paused'), over('orders', 3, 'Succeeded', proven(3))], { lastState: 'Succeeded', lastVerifiedAt: Date.parse('2026-03-01T03:00:00Z') / 1000 }],
    ['a group without due rows, and so without a new run, does not make all old', [over('views', 1, 'Succeeded', proven(1)), over('orders', 3, 'Succeeded', proven(3))], { lastState: 'Succeeded', lastVerifiedAt: Date.parse('2026-03-03T03:00:00Z') / 1000, heldUnchanged: true }],
    ['held rows that one group lost are not found again by another', [over('views', 1, 'Failed', proven(1, false)), over('orders', 3, 'Succeeded', proven(3))], { heldUnchanged: false }],
    ['a collection the policy has no say over any more says nothing', [over('gone', 2, 'Failed', proven(2, false)), over('views', 3, 'Succeeded', proven(3))], { lastState: 'Succeeded', lastVerifiedAt: Date.parse('2026-03-03T03:00:00Z') / 1000, heldUnchanged: true }],
  ])('of purges in groups: %s', (_name, runs, expected) => {
    const [found] = input({ readings: { generation: 1, rules }, policies: [general], runs }).purges ?? [];
    expect(found).toMatchObject(expected);
    if (!('heldUnchanged' in expected)) expect(found).not.toHaveProperty('heldUnchanged');
  });

  test.each<[string, string[], [string, number, boolean?][], string[] | undefined]>([
    ['a group that was never purged has due rows', ['views'], [['views', 0], ['orders', 4]], ['platform-db/web/orders']],
    ['its run waits', ['views', 'orders'], [['views', 0], ['orders', 4]], []],
    ['it has no due row', ['views'], [['views', 0], ['orders', 0]], []],
    ['it was not counted', ['views'], [['views', 0]], undefined],
  ])('of purges: which collections no run has planned, when %s', (_, runs, due, unplanned) => {
    const [found] = input({ readings: { generation: 1, rules, counts: counted(...due)! }, policies: [general], runs: runs.map((name) => over(name, 1, 'Waiting')) }).purges ?? [];
    expect(found?.unplanned).toEqual(unplanned);
  });

  const counted = (...due: [string, number, boolean?][]): Readings['counts'] => ({ at: Date.parse('2026-03-04T01:30:00Z'), rules: 'r', counts: due.map(([name, rows, exact = true]) => ({ collection: `platform-db/web/${name}`, due: rows, held: 0, floored: 0, blocked: 0, blockedForever: 0, indeterminate: 0, exact })) });

  test('of collections that are declared and not there: their names, and nothing to pass by', () => {
    const lost = storeRules(aStore(), { maps: [two], policies: [general], holds: [], namespaces: new Map(), rootNamespace: 'x' }, anInventory([aTable('views', ['id', 'viewed_at'])]), ISO);
    expect(collections(lost).map(({ name, hasMaximum, categories }) => [name, hasMaximum, categories])).toEqual([
      ['platform-db/web/views', true, expect.anything()],
      ['platform-db/web/orders', undefined, two.spec.collections?.[1]?.categories],
    ]);
  });

  test.each<[string, ReturnType<typeof anInventory>]>([
    ['a column was renamed', anInventory([aTable('views', ['id', 'seen_at']), aTable('orders', ['id', 'viewed_at'])])],
    ['a table was renamed', anInventory([aTable('orders', ['id', 'viewed_at'])])],
  ])('of purges: a count of no due rows proves nothing where %s', (_name, inventoryNow) => {
    const lost = storeRules(aStore(), { maps: [two], policies: [general], holds: [], namespaces: new Map(), rootNamespace: 'x' }, inventoryNow, ISO);
    const [found] = input({ readings: { generation: 1, rules: lost, counts: counted(['views', 0], ['orders', 0])! }, policies: [general], runs: [] }).purges ?? [];
    expect(found?.nothingDueAt).toBeUndefined();
  });

  test.each<[string, Readings['counts'], boolean]>([
    ['every collection was counted and none has a due row', counted(['views', 0], ['orders', 0]), true],
    ['one has a due row', counted(['views', 0], ['orders', 1]), false],
    ['one was counted in part', counted(['views', 0], ['orders', 0, false]), false],
    ['one was not counted', counted(['views', 0]), false],
    ['nothing was counted', undefined, false],
  ])('of purges: whether nothing is due, when %s', (_name, counts, clear) => {
    const [found] = input({ readings: { generation: 1, rules, ...(counts ? { counts } : {}) }, policies: [general], runs: [over('views', 1, 'Succeeded', proven(1))] }).purges ?? [];
    expect(found?.nothingDueAt).toBe(clear ? Date.parse('2026-03-04T01:30:00Z') / 1000 : undefined);
    expect(found?.nextDueAt).toBe(Date.parse(clear ? '2026-03-05T02:00:00Z' : '2026-03-02T02:00:00Z') / 1000);
  });

  const split = aMap([{ name: 'views', times }, { name: 'orders', table: { schema: 'public', name: 'orders' }, categories: ['user.behavior', 'user.financial'], times }]);
  const ruled = (...policies: ReturnType<typeof aPolicy>[]): Readings['rules'] => storeRules(aStore(), { maps: [split], policies, holds: [], namespaces: new Map(), rootNamespace: 'x' }, both, ISO);
  const strict = aPolicy('strict', { maximum: aMaximum('P1M'), collections: { categories: ['user.financial'] } });
  const byKind = (name: string): ReturnType<typeof aPolicy> => aPolicy(name, { maximum: aMaximum('P1Y'), rows: { where: [{ field: 'kind', operator: 'Exists' }] }, purge: aPurge() });

  test.each<[string, ReturnType<typeof aPolicy>, ReturnType<typeof aPolicy>[], Readings['counts'], boolean]>([
    ['what another policy decides need not be counted', general, [general, strict], counted(['views', 0]), true],
    ['what it decides itself has to be', general, [general], counted(['views', 0]), false],
    ['it speaks of a column that is not there', byKind('general'), [byKind('general')], counted(['views', 0], ['orders', 0]), false],
    ['another speaks of a column that is not there', general, [general, byKind('other')], counted(['views', 0], ['orders', 0]), true],
  ])('of purges: whether nothing is due, where %s', (_, policy, policies, counts, clear) => {
    const readings = { generation: 1, rules: ruled(...policies), counts } as Readings;
    expect(input({ readings, policies: [policy] }).purges?.[0]?.nothingDueAt !== undefined).toBe(clear);
  });

  test('of purges: the next one is owed since the policy was made, where nothing was proven yet', () => {
    expect(input({ policies: [general] }).purges?.[0]?.nextDueAt).toBe(Date.parse('2026-01-01T02:00:00Z') / 1000);
  });

  test('of purges: only those of the policy, in the store, in its namespace', () => {
    const of = (changes: { store?: string; namespace?: string; policy?: string }): PurgeRun => {
      const run = over('views', 1, 'Failed', proven(1, false));
      return { ...run, metadata: { ...run.metadata, namespace: changes.namespace ?? 'platform-db', labels: { 'dataward.io/policy-uid': changes.policy ?? 'uid-general' } }, spec: { ...run.spec, store: changes.store ?? 'analytics' } };
    };
    const seen = (run: PurgeRun): unknown => input({ policies: [general], runs: [run] }).purges?.[0]?.lastState;
    expect([of({}), of({ store: 'other' }), of({ namespace: 'shop' }), of({ policy: 'uid-x' })].map(seen)).toEqual(['Failed', undefined, undefined, undefined]);
  });

  test('of purges: in which mode, whether suspended, and nothing of the next one where the policy only limits', () => {
    expect(input({ policies: [aPolicy('general', { maximum: aMaximum('P1Y'), purge: aPurge({ mode: 'Plan', suspend: true }) })] }).purges).toMatchObject([{ mode: 'Plan', suspended: true, attempted: false, nextDueAt: expect.any(Number) }]);
    expect(input({ policies: [aPolicy('general', { maximum: aMaximum('P1Y') })] }).purges).toEqual([{ policy: 'platform-db/general', mode: 'None', suspended: false, attempted: false }]);
  });

  test('of purges: one that was only planned was not attempted', () => {
    expect(input({ policies: [general], runs: [aRun({}, { state: 'AwaitingApproval' })] }).purges).toMatchObject([{ attempted: false, lastState: 'AwaitingApproval' }]);
  });

  test('of purges: held rows are known to be as they were only where that is known of each group', () => {
    const known = (second: object): unknown => input({ readings: { generation: 1, rules }, policies: [general], runs: [over('views', 1, 'Succeeded', proven(1)), over('orders', 2, 'Succeeded', second)] }).purges?.[0]?.heldUnchanged;
    expect([known(proven(2)), known({ level: 'VerifiedLive', at: '2026-03-02T03:00:00Z' })]).toEqual([true, undefined]);
  });

  test('of purges: the last that somebody else confirmed, not the last that claimed', () => {
    const runs = [
      aRun({}, { state: 'Succeeded', startedAt: ISO, verification: { level: 'VerifiedLive', at: '2026-03-01T03:00:00Z' } }, 'a'),
      aRun({}, { state: 'Succeeded', startedAt: ISO, verification: { level: 'Claimed', at: ISO } }, 'b'),
      aRun({ store: 'other' }, { state: 'Failed' }, 'c'),
    ].map((run, index) => ({ ...run, metadata: { ...run.metadata, creationTimestamp: `2026-03-0${index + 1}T02:00:00Z` } }));
    expect(input({ policies: [general, aPolicy('least', { minimum: aMinimum('P1Y') })], runs }).purges).toEqual([
      { policy: 'platform-db/general', mode: 'Apply', suspended: false, attempted: true, lastState: 'Succeeded', lastVerifiedAt: Date.parse('2026-03-01T03:00:00Z') / 1000, nextDueAt: Date.parse('2026-03-02T02:00:00Z') / 1000 },
    ]);
    expect(input({ policies: [general] }).purges?.[0]).not.toHaveProperty('lastVerifiedAt');
  });
});

describe('a store is compliant', () => {
  const result = (control: string, outcome: Outcome): ControlResult => ({ control, title: control, severity: 'High' as ControlResult['severity'], store: { namespace: 'n', name: 's' }, outcome, findings: [{ outcome, subject: { namespace: 'n', store: 's' }, code: 'X', args: {}, message: `${control} says ${outcome}` }], remediation: '', refs: {} });
  const table: [string, Outcome[], string][] = [
    ['when all that applies passes', ['Pass', 'NotApplicable'], 'True AllControlsPass'],
    ['not when one fails, whatever is unknown beside it', ['Pass', 'Unknown', 'Fail'], 'False ViolationsFound'],
    ['nobody knows when one is unknown', ['Pass', 'Unknown'], 'Unknown EvaluationFailed'],
    ['nobody knows when one could not be evaluated', ['Pass', 'Error'], 'Unknown EvaluationFailed'],
    ['nobody knows when nothing was evaluated', [], 'Unknown EvaluationFailed'],
  ];
  test.each(table)('%s', (_, outcomes, expected) => {
    const { status, reason } = compliantCondition(outcomes.map((outcome, index) => result(`C-${index}`, outcome)), 1);
    expect(`${status} ${reason}`).toBe(expected);
  });

  test('and what is not known is named as what fails is', () => {
    expect(compliantCondition([result('A', 'Pass'), result('B', 'Unknown'), { ...result('C', 'Error'), findings: [], title: 'the title of C' }], 1).message).toBe('B: B says Unknown; C: the title of C');
    expect(compliantCondition([result('A', 'Fail'), result('B', 'Fail'), result('C', 'Fail')], 1).message).not.toContain('more');
  });

  test('and the first three that are not are named', () => {
    expect(compliantCondition(['A', 'B', 'C', 'D'].map((id) => result(id, 'Fail')), 1).message).toBe('A: A says Fail; B: B says Fail; C: C says Fail (and 1 more)');
  });

  test('since the time its verdict turned, other conditions untouched', () => {
    const ready = { type: 'Ready', status: 'True', reason: 'Evaluated', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' } as const;
    const first = withCompliant(aStore({}, {}, { conditions: [ready] }), [result('A', 'Pass')], NOW);
    const second = withCompliant(aStore({}, {}, first), [result('A', 'Pass'), result('B', 'Pass')], NOW + 60_000);
    expect(getCondition(second.conditions, 'Compliant')).toMatchObject({ lastTransitionTime: '2026-03-02T12:00:00Z', message: '2 controls hold.' });
    expect(getCondition(second.conditions, 'Ready')).toEqual(ready);
  });
});
