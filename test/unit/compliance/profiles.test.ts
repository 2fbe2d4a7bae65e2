import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { getCondition } from '../../../src/api/conditions.ts';
import type { ComplianceProfile, ComplianceProfileSpec } from '../../../src/api/generated/complianceProfile.ts';
import type { DataStore } from '../../../src/api/generated/dataStore.ts';
import { COMPLIANCE_PROFILE, DATA_STORE } from '../../../src/api/kinds.ts';
import type { Condition } from '../../../src/api/object.ts';
import { createComplianceReconcile } from '../../../src/compliance/reconcile.ts';
import { profileStatus, type ProfileReport } from '../../../src/compliance/status.ts';
import type { EntryPointsReading } from '../../../src/connect/entry-points.ts';
import type { Readings } from '../../../src/connect/readings.ts';
import { createRegister } from '../../../src/connect/register.ts';
import type { Catalogue } from '../../../src/policy/catalogue.ts';
import type { PolicyInput } from '../../../src/policy/input.ts';
import type { ControlResult } from '../../../src/policy/result.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { aStore } from '../../support/declared.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { memoryClient } from '../../support/memory-client.ts';

const ROOT = 'dataward-system';
const catalogue = JSON.parse(readFileSync('policies/bundle/catalogue.json', 'utf8')) as Catalogue;

function aProfile(namespace: string, spec: Partial<ComplianceProfileSpec>, name = 'default'): ComplianceProfile {
  return {
    apiVersion: 'dataward.io/v1alpha1',
    kind: 'ComplianceProfile',
    metadata: { namespace, name, uid: `uid-${namespace}-${name}`, generation: 1 },
    spec: { organisation: { name: 'x', contact: 'x' }, frameworks: ['none-yet'], ...spec },
  } as ComplianceProfile;
}

/** Two stores in namespaces of their own; every control passes but those that fail. `unseen`: namespaces of stores nobody has looked at. */
async function judge(profile: ComplianceProfile, others: ComplianceProfile[], failing: string[] = [], unseen: string[] = []) {
  const stores = ['shop', 'other'].map((namespace) => aStore({}, { namespace, name: 's', uid: `uid-${namespace}` }));
  const profiles = [profile, ...others];
  const client = memoryClient([...stores.map((store) => [DATA_STORE, store] as const), ...profiles.map((each) => [COMPLIANCE_PROFILE, each] as const)]);
  const asked = new Map<string, { params: PolicyInput['params']; controls: readonly string[] }>();
  const metrics = createMetrics({ version: '1', commit: 'c' });
  const readings = createRegister<Readings>();
  const look = (namespace: string): void => readings.put(`uid-${namespace}`, { generation: 1 });
  for (const { metadata } of stores) if (!unseen.includes(metadata.namespace ?? '')) look(metadata.namespace ?? '');
  const reconcile = createComplianceReconcile({
    client,
    caches: { stores: { list: () => stores }, runs: { list: () => [] }, profiles: { synced: async () => {}, list: () => profiles } },
    readings,
    entryPoints: createRegister<EntryPointsReading>(),
    declarations: { read: async () => ({ maps: [], policies: [], holds: [], namespaces: new Map(), rootNamespace: ROOT }) },
    engine: {
      catalogue,
      digest: `sha256:${'0'.repeat(64)}`,
      async evaluate(input: PolicyInput, controls: readonly string[]) {
        asked.set(input.store.namespace, { params: input.params, controls });
        return controls.map((control): ControlResult => ({ control, title: control, severity: 'high', store: { namespace: input.store.namespace, name: 's' }, outcome: unseen.includes(input.store.namespace) ? 'Unknown' : failing.includes(control) ? 'Fail' : 'Pass', findings: [], remediation: '', refs: {} }));
      },
      stop: async () => {},
    } as unknown as Parameters<typeof createComplianceReconcile>[0]['engine'],
    rootNamespace: ROOT,
    clock: createFakeClock(),
    metrics: metrics.domain,
    barrier: { wrote: () => {}, passed: async () => true },
    events: { event: () => {}, flush: async () => {}, stop: async () => {} },
  });
  const { namespace = '', name } = profile.metadata;
  await reconcile({ namespace, name }, { signal: new AbortController().signal });
  const read = (): ComplianceProfile['status'] => client.read<ComplianceProfile>(COMPLIANCE_PROFILE, { namespace, name })?.status;
  const status = read();
  /** Judges once more, after a first look at every store. */
  const afterLook = async (): Promise<ComplianceProfile['status']> => {
    for (const of of unseen.splice(0)) look(of);
    await reconcile({ namespace, name }, { signal: new AbortController().signal });
    return read();
  };
  const verdict = (of: string): Condition | undefined => getCondition(client.read<DataStore>(DATA_STORE, { namespace: of, name: 's' })?.status?.conditions, 'Compliant');
  const remove = async (gone: ComplianceProfile): Promise<void> => {
    const ref = { namespace: gone.metadata.namespace ?? '', name: gone.metadata.name };
    client.take(COMPLIANCE_PROFILE, ref);
    profiles.splice(profiles.indexOf(gone), 1);
    await reconcile(ref, { signal: new AbortController().signal });
  };
  /** What /metrics says of compliance. */
  const shown = async (): Promise<string[]> => (await metrics.registry.metrics()).split('\n').filter((line) => /^dataward_(?:resource_compliance|compliance_score_ratio|report_results)\{/.test(line));
  return { asked, status, compliant: (of: string) => verdict(of)?.status, verdict, remove, shown, afterLook, writes: client.writes };
}

describe('what is said of a profile', () => {
  const NOW = Date.parse('2026-03-02T12:00:00Z');
  const report = (changes: Partial<ProfileReport> = {}): ProfileReport => ({ controls: ['TRANSIT-02'], results: [], unseen: [], problems: [], holdsUntil: NOW + 60_000, ...changes });
  const said = (changes: Partial<ProfileReport> = {}, profile = aProfile(ROOT, { frameworks: ['gdpr'] })): NonNullable<ComplianceProfile['status']> => profileStatus(profile, report(changes), catalogue, 'sha256:0', NOW);

  test('is of the clauses of its frameworks and no others, and holds until the first answer may change', () => {
    const status = said();
    expect(status.clauses?.map(({ id }) => id).toSorted()).toEqual(catalogue.frameworks.find(({ id }) => id === 'gdpr')?.clauses.map(({ id }) => id).toSorted());
    expect([status.evaluatedAt, status.validUntil]).toEqual(['2026-03-02T12:00:00.000Z', '2026-03-02T12:01:00.000Z']);
    expect(said({ holdsUntil: Infinity })).not.toHaveProperty('validUntil');
  });

  test('is what is asked less than above, three of it by name, and nothing once there is no profile above', () => {
    const asWritten = (loosened?: string[], before?: Condition[]): Condition | undefined => getCondition(said(loosened ? { loosened } : {}, { ...aProfile('shop', {}), ...(before ? { status: { conditions: before } } : {}) } as ComplianceProfile).conditions, 'AsWritten');
    expect(asWritten([])).toMatchObject({ status: 'True', reason: 'AppliedAsWritten' });
    expect([asWritten(['a', 'b', 'c'])?.message, asWritten(['a', 'b', 'c', 'd'])?.message]).toEqual(['a; b; c', 'a; b; c (and 1 more)']);
    expect(asWritten(undefined, [asWritten(['a'])!])).toBeUndefined();
  });

  test('keeps since when a condition is as it is', () => {
    const before = { type: 'Ready', status: 'True', reason: 'Evaluated', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' } as const;
    expect(getCondition(said({}, { ...aProfile(ROOT, {}), status: { conditions: [before] } } as unknown as ComplianceProfile).conditions, 'Ready')?.lastTransitionTime).toBe('2026-01-01T00:00:00Z');
  });
});

const general = aProfile(ROOT, { controls: { include: ['TRANSIT-02'] }, parameters: { certExpiryWindow: 'P14D' } });

describe('the profile of the root namespace', () => {
  test('judges the stores of a namespace by what is asked for there as well, and the others by itself', async () => {
    const { asked, compliant, status } = await judge(general, [aProfile('shop', { controls: { include: ['HOLD-01'] }, parameters: { certExpiryWindow: 'P30D' } })], ['HOLD-01']);
    expect(asked.get('shop')).toMatchObject({ controls: ['HOLD-01', 'TRANSIT-02'], params: { certExpiryWindow: 30 * 86_400 } });
    expect(asked.get('other')).toMatchObject({ controls: ['TRANSIT-02'], params: { certExpiryWindow: 14 * 86_400 } });
    expect([compliant('shop'), compliant('other')]).toEqual(['False', 'True']);
    // Its own score is about its own controls.
    expect(status?.score).toMatchObject({ pass: 1, fail: 0 });
    expect(getCondition(status?.conditions, 'AsWritten')).toBeUndefined();
  });

  test('is not made less strict by anybody', async () => {
    const { asked } = await judge(general, [aProfile('shop', { controls: { exclude: [{ control: 'TRANSIT-02', reason: 'x' }] }, parameters: { certExpiryWindow: 'P1D' } })]);
    expect(asked.get('shop')).toMatchObject({ controls: ['TRANSIT-02'], params: { certExpiryWindow: 14 * 86_400 } });
  });

  test('no longer knows a profile that is being deleted', async () => {
    const leaving = aProfile('shop', { controls: { include: ['HOLD-01'] } });
    const { asked } = await judge(general, [{ ...leaving, metadata: { ...leaving.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } }]);
    expect(asked.get('shop')?.controls).toEqual(['TRANSIT-02']);
  });
});

/** Of a framework with clauses, and so with a score of its own. */
const scored = aProfile(ROOT, { frameworks: ['gdpr'] });

describe('as long as a store was not looked at since the operator started', () => {
  test.each([
    ['none was', ['shop', 'other']],
    ['one was not, and what another fails is known', ['other']],
  ])('there is no score, which would be taken for 0, in status and metrics: %s', async (_, unseen) => {
    const waiting = [...unseen];
    const { status, shown, afterLook } = await judge(scored, [], ['TRANSIT-02'], unseen);
    expect(status?.score).not.toHaveProperty('ratio');
    expect(getCondition(status?.conditions, 'Ready')?.message).toMatch(new RegExp(`There is no score yet: DataStore ${waiting.map((namespace) => `${namespace}/s`).join(', ')} was not looked at since the operator started\\.$`));
    expect((await shown()).filter((line) => line.startsWith('dataward_compliance_score_ratio'))).toEqual([]);
    const after = await afterLook();
    expect(after?.score?.ratio).toMatch(/^0\.\d\d$/);
    expect(getCondition(after?.conditions, 'Ready')?.message).toMatch(/controls were evaluated\.$/);
    expect((await shown()).filter((line) => line.startsWith('dataward_compliance_score_ratio'))).toHaveLength(1);
  });
});

describe('when a profile is deleted', () => {

  test('and no other of the root namespace is left, no store keeps its verdict, and nothing of it stays in the metrics', async () => {
    const { remove, verdict, shown, compliant } = await judge(scored, [aProfile('shop', { controls: { include: ['HOLD-01'] } })]);
    expect([compliant('shop'), compliant('other'), (await shown()).length > 3]).toEqual(['True', 'True', true]);
    await remove(scored);
    for (const namespace of ['shop', 'other']) expect(verdict(namespace)).toMatchObject({ status: 'Unknown', reason: 'NotJudged', message: 'no ComplianceProfile of namespace dataward-system judges stores any more; create one there' });
    expect(await shown()).toEqual([]);
  });

  test('and was gone before this process looked, stores without a verdict are left as they are', async () => {
    const { remove, writes, verdict } = await judge(aProfile('shop', {}), []);
    const before = writes.length;
    await remove(scored);
    expect([verdict('shop'), writes.length]).toEqual([undefined, before]);
  });

  test.each<[string, ComplianceProfile, ComplianceProfile[]]>([
    ['another of the root namespace judges on', scored, [aProfile(ROOT, {}, 'second')]],
    ['one of another namespace set no verdict', aProfile('shop', {}), []],
  ])('the verdicts stand where %s', async (_, gone, others) => {
    const { remove, compliant, shown } = await judge(scored, gone === scored ? others : [gone]);
    const before = await shown();
    await remove(gone);
    expect([compliant('shop'), compliant('other'), await shown()]).toEqual(['True', 'True', before]);
  });

  test('a second one that is being deleted too judges nothing any more', async () => {
    const leaving = aProfile(ROOT, {}, 'second');
    const { remove, compliant } = await judge(scored, [{ ...leaving, metadata: { ...leaving.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } }]);
    await remove(scored);
    expect(compliant('other')).toBe('Unknown');
  });
});

describe('a profile of another namespace', () => {
  test('judges the stores beside it by the profile of the root namespace too, and sets no condition of theirs', async () => {
    const { asked, status, compliant } = await judge(aProfile('shop', { controls: { include: ['HOLD-01'] } }), [general]);
    expect([...asked]).toMatchObject([['shop', { controls: ['HOLD-01', 'TRANSIT-02'], params: { certExpiryWindow: 14 * 86_400 } }]]);
    expect([compliant('shop'), getCondition(status?.conditions, 'AsWritten')?.status]).toEqual([undefined, 'True']);
  });

  test('says what it asks less, with both values', async () => {
    const { status } = await judge(aProfile('shop', { controls: { exclude: [{ control: 'TRANSIT-02', reason: 'x' }] }, parameters: { certExpiryWindow: 'P1D' } }), [general]);
    expect(getCondition(status?.conditions, 'AsWritten')).toMatchObject({ status: 'False', reason: 'LooserThanRoot', message: expect.stringMatching(/exclude: TRANSIT-02 .*certExpiryWindow: P1D asks for less than P14D of ComplianceProfile dataward-system\/default/) });
  });

  test('names what holds in place of a value that cannot be used', async () => {
    const { status } = await judge(aProfile('shop', { frameworks: ['gdpr'], parameters: { certExpiryWindow: 'soon' } }), [general]);
    expect(getCondition(status?.conditions, 'Ready')).toMatchObject({ reason: 'ParameterInvalid', message: expect.stringContaining('P14D is used until then') });
  });
});
