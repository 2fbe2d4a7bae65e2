import { describe, expect, test } from '@jest/globals';
import type { PurgeRun } from '../../../../src/api/generated/purgeRun.ts';
import type { KubeObject } from '../../../../src/api/object.ts';
import { CONFIG_MAP, DATA_STORE, PURGE_RUN, RETENTION_POLICY } from '../../../../src/api/kinds.ts';
import { signCheckpoint } from '../../../../src/evidence/audit/checkpoint.ts';
import type { Certificate } from '../../../../src/evidence/certificate.ts';
import { purgeRunFor } from '../../../../src/retention/apply.ts';
import { derive } from '../../../../src/retention/derive.ts';
import { planDigest } from '../../../../src/retention/plan.ts';
import { createPurgeRunReconcile } from '../../../../src/retention/run/reconcile.ts';
import type { Declarations } from '../../../../src/rules/store-rules.ts';
import type { Result } from '../../../../src/runtime/result.ts';
import { StoreError } from '../../../../src/stores/errors.ts';
import type { UndoneDrop } from '../../../../src/stores/purging.ts';
import { silentLogger } from '../../../../src/telemetry/logger.ts';
import { createMetrics } from '../../../../src/telemetry/metrics.ts';
import { digest, signer } from '../../../support/certificate.ts';
import { NOON } from '../../../support/chain.ts';
import { aMap, aMaximum, anInventory, aPolicy, aPurge, aStore, aTable } from '../../../support/declared.ts';
import { createFakeClock } from '../../../support/fake-clock.ts';
import { memoryAudit, silentJournal, type MemoryAudit } from '../../../support/memory-audit.ts';
import { memoryClient, type MemoryClient } from '../../../support/memory-client.ts';
import { aForecast, aStep, scriptedStore, type ScriptedStore } from '../../../support/scripted-store.ts';

const NOW = Date.parse('2026-03-01T02:00:00Z');
const views = aMap([{ times: [{ event: 'Created', field: 'created_at', type: 'TimestampTZ' }] }]);
/** A person asked for a run just now, so that the window is open. */
const policy = aPolicy('general', { maximum: aMaximum('P1Y'), purge: aPurge() }, { annotations: { 'dataward.io/requested-at': '2026-03-01T02:00:00Z' } });

interface Stage {
  client: MemoryClient;
  audit: MemoryAudit;
  store: ScriptedStore;
  run(): PurgeRun;
  /** Changes the run as somebody else would. */
  change(changes: { metadata?: Partial<PurgeRun['metadata']>; spec?: Partial<PurgeRun['spec']>; status?: PurgeRun['status'] }): void;
  approve(): void;
  look(): Promise<Result>;
  /** Declares another maximum of the policy. */
  declare(period: string): void;
  /** Declares another policy of the same name. */
  redeclare(changed: typeof policy): void;
  /** Why a person would be asked for a plan of now. */
  asksFor(): Promise<string[]>;
  /** Puts a second run of the store beside the first one, approved as that is. */
  second(status?: PurgeRun['status']): PurgeRun['metadata'];
  /** Looks at both in the same moment. */
  lookAtBoth(second: PurgeRun['metadata']): Promise<unknown>;
  /** Last row of each run that the audit log has. */
  recorded: Map<string, number>;
  warnings: string[];
  /** Rows of the journal that were taken over. */
  putOnRecord: number[];
  actions(): string[];
}

async function stage(): Promise<Stage> {
  const declared: Declarations = { maps: [views], policies: [policy], holds: [], namespaces: new Map([['platform-db', {}]]), rootNamespace: 'dataward-system' };
  const store = scriptedStore({ inventory: anInventory([aTable('views', ['id', 'created_at'])]) });
  store.script.identity.fingerprint = digest('c');
  store.script.plan = { ...store.script.plan, steps: [aStep({ predicateDigest: digest('d') })] };
  const reader = await store.connections.reader(aStore(), 'observe');
  const planned = purgeRunFor(policy, aStore(), (await derive(aStore(), policy, declared, reader, NOW))[0]!);
  await reader.close();
  const name = planned.metadata.name;
  const client = memoryClient([[PURGE_RUN, planned], [RETENTION_POLICY, policy], [DATA_STORE, aStore()]]);
  const audit = memoryAudit();
  const clock = createFakeClock(NOW);
  const source = { read: async () => declared };
  const recorded = new Map<string, number>();
  const warnings: string[] = [];
  const putOnRecord: number[] = [];
  const certifier = { client, audit, key: signer, keep: async () => {}, kept: async () => undefined, anchor: async () => signCheckpoint(audit.chainId, audit.head(), signer, NOON), bundleDigest: null, nameClient: (key: string) => key, version: '0.1.0', actor: 'dataward', now: clock.now };
  const reconcile = createPurgeRunReconcile({
    client,
    audit,
    clock,
    certifier,
    connections: store.connections,
    declarations: source,
    cached: source,
    journal: { ...silentJournal, takeOver: async (taken, rows) => (putOnRecord.push(...rows.map(({ seq }) => seq)), silentJournal.takeOver(taken, rows)), through: (_store, run) => recorded.get(run) ?? 0, recordedAt: () => 1 },
    anchored: () => 1,
    logger: { ...silentLogger, warn: (message) => void warnings.push(message) },
    rootNamespace: 'dataward-system',
    frozen: false,
    leaving: new AbortController().signal,
    actor: 'dataward',
    owner: 'us',
    barrier: { wrote: () => {}, passed: async () => true },
    events: { event: () => {}, flush: async () => {}, stop: async () => {} },
    metrics: createMetrics({ version: '0.1.0', commit: 'test' }).domain,
  });
  const ref = { namespace: 'platform-db', name };
  const run = (): PurgeRun => client.read<PurgeRun>(PURGE_RUN, ref)!;
  const change: Stage['change'] = ({ metadata, spec, status }) => client.put<PurgeRun>(PURGE_RUN, { ...run(), metadata: { ...run().metadata, ...metadata }, spec: { ...run().spec, ...spec }, ...(status ? { status: { ...run().status, ...status } } : {}) });
  return {
    client,
    audit,
    store,
    run,
    change,
    recorded,
    warnings,
    putOnRecord,
    approve: () => change({ spec: { approvals: [{ by: 'alice', planDigest: run().spec.planDigest }] } }),
    look: async () => {
      const result = await reconcile(ref, { signal: new AbortController().signal });
      expect(store.open()).toBe(0);
      return result;
    },
    second: (status) => {
      const { status: _status, ...copy } = run();
      const metadata = { ...copy.metadata, name: `${name}-second`, uid: 'uid-second' };
      client.put<PurgeRun>(PURGE_RUN, { ...copy, metadata, ...(status ? { status } : {}) });
      return metadata;
    },
    lookAtBoth: async ({ name: other }) => {
      const { signal } = new AbortController();
      await Promise.all([reconcile(ref, { signal }), reconcile({ ...ref, name: other }, { signal })]);
      expect(store.open()).toBe(0);
    },
    declare: (period) => void (declared.policies[0] = { ...policy, spec: { ...policy.spec, maximum: aMaximum(period) } }),
    redeclare: (changed) => {
      declared.policies[0] = changed;
      client.put(RETENTION_POLICY, changed);
    },
    asksFor: async () => {
      const again = await store.connections.reader(aStore(), 'observe');
      const [plan] = await derive(aStore(), declared.policies[0]!, declared, again, NOW);
      await again.close();
      return plan!.reasons.map(({ reason }) => reason);
    },
    actions: () => audit.entries.map((entry) => entry.action),
  };
}

const batches = (one: Stage): string[] => one.store.calls.filter((call) => call.startsWith('batch'));
const ended = (one: Stage): unknown[] => [one.run().status?.state, one.run().status?.finishedAt !== undefined, one.run().metadata.finalizers];

describe('a run', () => {
  test('waits for a person, deletes nothing meanwhile, and says what its approvals are worth', async () => {
    const one = await stage();
    one.store.script.batches = [40];
    expect(await one.look()).toEqual({ kind: 'requeueAfter', ms: 30_000 });
    expect(one.run().status).toMatchObject({ state: 'AwaitingApproval', approval: { grade: 'Unverified' }, why: expect.stringContaining('0 of 1 approvals') });
    expect([batches(one), one.actions()]).toEqual([[], []]);
  });

  test('once approved deletes, is verified and certified, and is let go', async () => {
    const one = await stage();
    one.approve();
    one.store.script.batches = [40, 20];
    expect(await one.look()).toEqual({ kind: 'requeueAfter', ms: 0 });
    expect(one.run().status).toMatchObject({ state: 'Verifying', auditFrom: 1, progress: { deleted: 60 } });
    expect(await one.look()).toEqual({ kind: 'done' });
    expect(one.run().status).toMatchObject({ verification: { level: 'VerifiedLive', residual: 0 }, certificate: { name: `${one.run().metadata.name}-certificate` } });
    expect(ended(one)).toEqual(['Succeeded', true, []]);
    expect(one.actions()).toEqual(['purge.intent', 'purge.verified', 'certificate.issued']);
    const before = one.client.writes.length;
    expect(await one.look()).toEqual({ kind: 'done' });
    expect(one.client.writes).toHaveLength(before);
  });

  test('keeps since when it was agreed to, and what was held before its first row went, from stretch to stretch', async () => {
    const one = await stage();
    one.approve();
    const heldBefore = [{ collection: 'platform-db/web/views', rows: 2, sum: '77', holds: ['h'] }];
    one.change({ status: { state: 'Running', startedAt: '2026-03-01T01:00:00Z', approval: { grade: 'Unverified', since: '2026-03-01T00:59:00Z', by: ['alice'] }, verification: { heldBefore }, progress: { deleted: 5, total: 100 } } });
    one.store.script.batches = [40];
    await one.look();
    expect(one.run().status).toMatchObject({ state: 'Verifying', approval: { since: '2026-03-01T00:59:00Z', by: ['alice'] }, verification: { heldBefore } });
  });

  test('whose policy is shortened while it is verified ends, and the next plan is asked for as if nothing had been said', async () => {
    const one = await stage();
    one.approve();
    one.store.script.batches = [40];
    await one.look();
    one.declare('P2M');
    expect(await one.look()).toEqual({ kind: 'done' });
    expect(ended(one)).toEqual(['Superseded', true, []]);
    expect(one.run().status).toMatchObject({ why: expect.stringContaining('P1Y to P2M'), progress: { deleted: 40 } });
    expect([one.actions(), one.store.script.approved]).toEqual([['purge.intent', 'purge.superseded'], []]);
    expect(one.client.writes.filter((write) => write.startsWith('create ConfigMap'))).toEqual([]);
    expect(await one.asksFor()).toEqual(['FirstRun']);
  });

  test('whose policy is lengthened before it works is certified by the longer rule, and going back is asked for', async () => {
    const one = await stage();
    one.approve();
    one.declare('P2Y');
    one.store.script.batches = [40];
    await one.look();
    await one.look();
    expect(one.run().status?.state).toBe('Succeeded');
    const { name = '' } = one.run().status?.certificate ?? {};
    const certificate = JSON.parse(one.client.read<KubeObject & { data: Record<string, string> }>(CONFIG_MAP, { namespace: 'platform-db', name })?.data['certificate.json'] ?? '') as Certificate;
    expect([one.run().spec.plan.steps[0]?.cutoff.slice(0, 10), certificate.basis.cutoff.slice(0, 10), certificate.collections[0]?.cutoff?.slice(0, 10)]).toEqual(['2025-03-01', '2024-03-01', '2024-03-01']);
    expect(certificate.collections[0]?.predicateDigest).not.toBe(one.run().spec.plan.steps[0]?.predicateDigest);
    expect(await one.asksFor()).toEqual([]);
    one.declare('P1Y');
    expect(await one.asksFor()).toEqual(['RuleChanged', 'CutoffAdvance']);
  });

  test('that is frozen between two batches pauses, says why, and goes on from there', async () => {
    const one = await stage();
    one.approve();
    one.store.script.batches = [40, 20];
    const freeze = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'dataward-freeze', namespace: 'platform-db' } };
    one.client.refuse = () => {
      if (batches(one).length === 1) one.client.put(CONFIG_MAP, freeze);
    };
    await one.look();
    expect(one.run().status).toMatchObject({ state: 'Paused', why: expect.stringContaining('dataward-freeze'), progress: { deleted: 40 } });
    await one.look();
    expect([one.run().status?.state, batches(one)]).toEqual(['Paused', ['batch 40']]);
    one.client.refuse = () => {};
    one.client.take(CONFIG_MAP, freeze.metadata);
    await one.look();
    expect([one.run().status?.state, one.run().status?.progress?.deleted, batches(one)]).toEqual(['Verifying', 60, ['batch 40', 'batch 20']]);
    expect(one.actions()).toEqual(['purge.intent', 'purge.paused', 'purge.intent']);
  });

  test('that reached its limit has failed, is not verified and not certified', async () => {
    const one = await stage();
    one.approve();
    one.store.script.batches = [40, new StoreError('RunLimitReached', 'too many')];
    expect(await one.look()).toEqual({ kind: 'done' });
    expect(ended(one)).toEqual(['Failed', true, []]);
    expect(one.run().status).toMatchObject({ progress: { deleted: 40 }, why: expect.stringContaining('limit') });
    expect(one.actions()).toEqual(['purge.intent', 'purge.failed']);
  });

  test('whose server had no room, or took too long, goes on when it can: that is no limit of its own', async () => {
    const one = await stage();
    one.approve();
    one.store.script.batches = [40, new StoreError('LimitReached', 'the server is out of a resource')];
    expect(await one.look()).toEqual({ kind: 'requeueAfter', ms: 30_000 });
    expect(one.run().status).toMatchObject({ state: 'Paused', why: expect.stringMatching(/^the server is out of a resource \(failed once/), failing: { count: 1, deleted: 40 } });
    one.store.script.batches = [20];
    await one.look();
    expect(one.run().status).toMatchObject({ state: 'Verifying', progress: { deleted: 60 } });
    expect(one.run().status).not.toHaveProperty('failing');
  });

  test('whose rows came or moved meanwhile goes back to work, looks for them everywhere, and is certified when none is left', async () => {
    const one = await stage();
    one.approve();
    one.store.script.batches = [40];
    await one.look();
    one.store.script.plan.forecast = [aForecast(3)];
    expect(await one.look()).toEqual({ kind: 'requeueAfter', ms: 0 });
    expect(one.run().status).toMatchObject({ state: 'Running', verification: { residual: 3 } });
    expect(one.run().metadata.finalizers).not.toEqual([]);
    one.store.script.batches = [3];
    one.store.script.plan.forecast = [aForecast(0)];
    await one.look();
    expect(one.store.purged.map(({ context }) => context.sweep)).toEqual([false, true]);
    await one.look();
    expect(ended(one)).toEqual(['Succeeded', true, []]);
    expect(one.run().status).toMatchObject({ progress: { deleted: 43 }, verification: { level: 'VerifiedLive', residual: 0 } });
    expect(one.actions()).toEqual(['purge.intent', 'purge.residual', 'purge.intent', 'purge.verified', 'certificate.issued']);
  });

  test('begins although there are more held rows than can be looked at, and then says nothing of them', async () => {
    const one = await stage();
    one.approve();
    one.store.script.fence!.holds = [{ uid: 'h', name: 'platform-db/matter-1', revision: 1, items: [{ table: { schema: 'public', name: 'views' }, predicate: { op: 'true' } }] }];
    one.store.script.fingerprint = new StoreError('LimitReached', 'too many');
    one.store.script.batches = [40];
    await one.look();
    expect(one.run().status).toMatchObject({ state: 'Verifying', verification: { heldBefore: [{ rows: 0, sum: 'unknown' }] } });
    await one.look();
    expect(ended(one)).toEqual(['Succeeded', true, []]);
    expect(one.run().status?.verification).not.toHaveProperty('heldUnchanged');
  });

  test('whose rows do not become fewer has failed, without a certificate', async () => {
    const one = await stage();
    one.approve();
    one.store.script.batches = [40];
    await one.look();
    one.store.script.plan.forecast = [aForecast(3)];
    for (let look = 0; look < 3; look += 1) await one.look();
    expect(ended(one)).toEqual(['Failed', true, []]);
    expect(one.run().status?.conditions).toContainEqual(expect.objectContaining({ type: 'Failed', reason: 'ResidualRows' }));
    expect(one.client.writes.filter((write) => write.startsWith('create'))).toEqual([]);
  });

  test.each(['Running', 'Paused', 'Verifying'] as const)('stays %s when the store cannot be reached, says so and tries again in half a minute', async (state) => {
    const one = await stage();
    one.approve();
    one.change({ status: { state } });
    one.store.connections.reader = () => Promise.reject(new StoreError('Unreachable', 'db.example does not answer'));
    expect(await one.look()).toEqual({ kind: 'requeueAfter', ms: 30_000 });
    expect(one.run().status).toMatchObject({ state, why: 'db.example does not answer' });
  });

  test('that broke off in its first stretch is at work, so that it cannot expire as one that deleted nothing', async () => {
    const one = await stage();
    one.approve();
    one.store.script.batches = [40, new StoreError('Unreachable', 'db.example does not answer'), 20];
    expect(await one.look()).toEqual({ kind: 'requeueAfter', ms: 30_000 });
    expect(one.run().status).toMatchObject({ state: 'Running', why: 'db.example does not answer' });
    await one.look();
    expect(one.run().status).toMatchObject({ state: 'Verifying', progress: { deleted: 60 } });
  });

  test.each<[string, (one: Stage) => void, object]>([
    ['the driver refuses to go on', (one) => void (one.store.script.plan.refusals = [{ reason: 'TriggerOnDelete', collection: 'views', message: 'a trigger appeared' }]), { state: 'Paused', why: 'views: a trigger appeared' }],
    ['another store answers the enforcing identity', (one) => {
      const { writer } = one.store.connections;
      one.store.connections.writer = async (...how) => ({ ...(await writer(...how)), identity: async () => ({ ...one.store.script.identity, fingerprint: digest('e') }) });
    }, { state: 'Paused' }],
  ])('that has deleted rows keeps their count and is paused when %s', async (_, change, status) => {
    const one = await stage();
    one.approve();
    one.change({ status: { state: 'Running', progress: { deleted: 40 } } });
    change(one);
    one.store.script.batches = [20];
    await one.look();
    expect(one.run().status).toMatchObject({ ...status, progress: { deleted: 40 } });
    expect(batches(one)).toEqual([]);
  });

  test('that has deleted nothing waits when the driver refuses', async () => {
    const one = await stage();
    one.approve();
    one.store.script.plan.refusals = [{ reason: 'TriggerOnDelete', collection: 'views', message: 'a trigger appeared' }];
    await one.look();
    expect(one.run().status).toMatchObject({ state: 'Waiting', progress: { deleted: 0 } });
  });

  test('meets what nobody foresaw with an error for the log, and no word of it in the status', async () => {
    const one = await stage();
    one.store.connections.reader = () => Promise.reject(new TypeError('reader7@mail.example'));
    await expect(one.look()).rejects.toThrow(TypeError);
    expect(one.run().status?.state).toBe('Waiting');
    expect(JSON.stringify(one.run())).not.toContain('reader7');
  });

  test('whose policy is gone is superseded, and says that nothing is proven where it had deleted already', async () => {
    for (const [state, why] of [['Waiting', /what it has not deleted stays/], ['Verifying', /nothing is proven and no certificate/]] as const) {
      const one = await stage();
      one.change({ status: { state } });
      one.client.take(RETENTION_POLICY, { namespace: 'platform-db', name: 'general' });
      await one.look();
      expect([...ended(one), ...one.actions()]).toEqual(['Superseded', true, [], 'purge.superseded']);
      expect(one.run().status?.why).toMatch(why);
      expect(one.store.calls.filter((call) => call.startsWith('enforce') && !call.startsWith('enforce:journalledRuns'))).toEqual([]);
    }
  });

  test.each([['Running', ['purge.withdrawn']], ['Succeeded', []]] as const)('that is deleted while %s is let go, and nothing of it is carried out', async (state, actions) => {
    const one = await stage();
    one.change({ metadata: { deletionTimestamp: '2026-03-01T02:00:00Z' }, status: { state } });
    const before = one.store.calls.length;
    expect(await one.look()).toEqual({ kind: 'done' });
    expect([one.run().metadata.finalizers, one.actions(), one.store.calls.length - before]).toEqual([[], actions, 0]);
  });

  test.each<[string, (one: Stage) => void, string, string, object]>([
    ['whose policy is gone', (one) => one.client.take(RETENTION_POLICY, { namespace: 'platform-db', name: 'general' }), 'Superseded', 'purge.superseded', { progress: { deleted: 60 } }],
    ['that is not the plan it was', (one) => one.change({ spec: { planDigest: digest('0') } }), 'Failed', 'purge.failed', { progress: { deleted: 60 } }],
    ['that a person deletes', (one) => one.change({ metadata: { deletionTimestamp: '2026-03-01T02:00:00Z' } }), 'Running', 'purge.withdrawn', {}],
  ])('%s has its last batches on record before it ends: the process before may have died right after them', async (_, change, state, action, status) => {
    const one = await stage();
    one.change({ status: { state: 'Running', progress: { deleted: 40 } } });
    for (const seq of [1, 2]) one.store.script.journal.push({ run: one.run().metadata.uid ?? '', seq, epoch: 1, collection: 'views', table: { schema: 'public', name: 'views' }, method: 'BlockRange', deleted: 30, clients: {}, at: '' });
    one.recorded.set(one.run().metadata.uid ?? '', 1);
    change(one);
    expect(await one.look()).toEqual({ kind: 'done' });
    expect([one.putOnRecord, one.run().status?.state, one.actions(), one.run().metadata.finalizers]).toEqual([[2], state, [action], []]);
    expect(one.run().status).toMatchObject(status);
  });

  test('that a person deletes is let go although its store does not answer, and the record says what may be missing', async () => {
    const one = await stage();
    one.change({ metadata: { deletionTimestamp: '2026-03-01T02:00:00Z' }, status: { state: 'Paused' } });
    one.store.connections.writer = () => Promise.reject(new StoreError('Unreachable', 'db.example does not answer'));
    expect(await one.look()).toEqual({ kind: 'done' });
    expect(one.audit.entries.map(({ refs }) => refs?.['why'])).toEqual(['the PurgeRun was deleted by a person; its last batches may not be on record: Unreachable']);
    expect(one.run().metadata.finalizers).toEqual([]);
  });

  test('that would end waits for a store that does not answer, since what it deleted last is not on record', async () => {
    const one = await stage();
    one.change({ status: { state: 'Running' } });
    one.client.take(RETENTION_POLICY, { namespace: 'platform-db', name: 'general' });
    one.store.connections.writer = () => Promise.reject(new StoreError('Unreachable', 'db.example does not answer'));
    expect(await one.look()).toEqual({ kind: 'requeueAfter', ms: 30_000 });
    expect(one.run().status).toMatchObject({ state: 'Running', why: 'db.example does not answer' });
  });

  test('that ends takes old runs out of the journal of its store, after it is told that it ended', async () => {
    const one = await stage();
    one.change({ status: { state: 'Verifying' } });
    one.store.script.journalled = [{ run: 'of last year', lastSeq: 7 }, { run: 'not on record', lastSeq: 7 }];
    one.recorded.set('of last year', 7);
    const { writer } = one.store.connections;
    const when: unknown[] = [];
    one.store.connections.writer = async (...how) => {
      const opened = await writer(...how);
      return { ...opened, journalledRuns: async (limit) => (when.push(...ended(one)), opened.journalledRuns(limit)) };
    };
    await one.look();
    expect(when).toEqual(['Succeeded', true, []]);
    expect(one.actions()).toEqual(['purge.verified', 'certificate.issued', 'journal.trimmed']);
    expect(one.store.calls.filter((call) => call.startsWith('enforce:trim'))).toEqual(['enforce:trimJournal of last year']);
  });

  test('that ended has ended, whatever becomes of the journal and of its finalizer', async () => {
    const one = await stage();
    one.change({ status: { state: 'Verifying' } });
    one.store.script.journalled = [{ run: 'of last year', lastSeq: 7 }];
    one.recorded.set('of last year', 7);
    one.store.script.trimmed = new StoreError('Unreachable', 'gone');
    expect(await one.look()).toEqual({ kind: 'done' });
    expect([ended(one), one.warnings]).toEqual([['Succeeded', true, []], ['the journal of a store could not be trimmed']]);

    const held = await stage();
    held.change({ status: { state: 'Verifying' } });
    held.client.refuse = (call) => {
      if (held.run().status?.state === 'Succeeded' && call.startsWith('patch')) throw new StoreError('Unreachable', 'the API server is gone');
    };
    expect(await held.look()).toEqual({ kind: 'requeueAfter', ms: 30_000 });
    expect(held.run().status?.state).toBe('Succeeded');
  });

  test.each(['Paused', 'Verifying'] as const)('that is %s and of which the store lost batches that are on record has failed, and deletes nothing more', async (state) => {
    const one = await stage();
    one.approve();
    one.change({ status: { state, progress: { deleted: 40 } } });
    one.recorded.set(one.run().metadata.uid ?? '', 3);
    one.store.script.batches = [20];
    expect(await one.look()).toEqual({ kind: 'done' });
    expect([...ended(one), batches(one)]).toEqual(['Failed', true, [], []]);
    expect(one.run().status).toMatchObject({ progress: { deleted: 40 }, why: expect.stringContaining('up to number 3'), conditions: expect.arrayContaining([expect.objectContaining({ type: 'Ready', reason: 'Rewound' })]) });
    expect(one.actions().at(-1)).toBe('purge.failed');
  });

  test('and another of its store begin one after the other, although both were looked at in the same moment and nobody was at work', async () => {
    const one = await stage();
    one.approve();
    const second = one.second();
    one.store.script.batches = [40];
    await one.lookAtBoth(second);
    const statuses = [one.run(), one.client.read<PurgeRun>(PURGE_RUN, { namespace: 'platform-db', name: second.name })].map((run) => run?.status);
    expect(statuses.map((status) => status?.state).toSorted()).toEqual(['Verifying', 'Waiting']);
    expect(statuses.find((status) => status?.state === 'Waiting')).toMatchObject({ why: expect.stringMatching(/^PurgeRun .* works in the same store$/) });
    expect(one.actions()).toEqual(['purge.intent']);
    await one.lookAtBoth(second);
    await one.lookAtBoth(second);
    expect(one.actions().filter((action) => action === 'certificate.issued')).toHaveLength(1);
    expect(one.actions().filter((action) => action === 'purge.intent')).toHaveLength(2);
  });

  test.each(['Running', 'Verifying'] as const)('does not begin when another of its store is %s by the time it would, though it was not when this one was looked at', async (state) => {
    const one = await stage();
    one.approve();
    one.store.script.batches = [40];
    const { reader } = one.store.connections;
    one.store.connections.reader = (...how) => {
      one.second({ state, startedAt: '2026-03-01T01:59:00.000Z' });
      return reader(...how);
    };
    expect(await one.look()).toEqual({ kind: 'requeueAfter', ms: 5_000 });
    expect(one.run().status).toMatchObject({ state: 'Waiting', why: expect.stringContaining('-second works in the same store') });
    expect([batches(one), one.actions()]).toEqual([[], []]);
  });

  test('lets the next one begin although its own stretch broke off', async () => {
    const one = await stage();
    one.approve();
    const second = one.second();
    one.store.script.batches = [new StoreError('RunLimitReached', 'too many'), 40];
    await one.look();
    expect(one.run().status?.state).toBe('Failed');
    await one.lookAtBoth(second);
    expect(batches(one)).toEqual(['batch 40']);
  });

  describe('whose store refuses the work', () => {
    const refused = new StoreError('Failed', 'a function of the store, such as a trigger, refuses it');
    const HOUR_AGO = { count: 7, since: '2026-03-01T01:00:00.000Z', deleted: 0 };

    test('lets another of other collections go first, is never at work beside it, and goes on when it is mended', async () => {
      const one = await stage();
      one.approve();
      one.store.script.batches = [refused];
      await one.look();
      expect(one.run().status).toMatchObject({ state: 'Paused', failing: { count: 1 } });
      const second = one.second({ state: 'Running', startedAt: '2026-03-01T02:00:05.000Z' });
      const other = one.client.read<PurgeRun>(PURGE_RUN, { namespace: 'platform-db', name: second.name })!;
      one.client.put<PurgeRun>(PURGE_RUN, { ...other, spec: { ...other.spec, plan: { ...other.spec.plan, steps: other.spec.plan.steps.map((step) => ({ ...step, collection: 'platform-db/web/clicks' })) } } });
      one.store.script.batches = [40];
      expect(await one.look()).toEqual({ kind: 'requeueAfter', ms: 5_000 });
      expect(one.run().status).toMatchObject({ state: 'Paused', why: expect.stringContaining('-second works in the same store'), failing: { count: 1 } });
      expect(batches(one)).toEqual([]);
      one.client.put<PurgeRun>(PURGE_RUN, { ...other, status: { state: 'Succeeded' } });
      await one.look();
      expect(one.run().status?.state).toBe('Verifying');
    });

    test('ends as Failed when that goes on for an hour, with what it deleted last on record', async () => {
      const one = await stage();
      one.approve();
      one.change({ status: { state: 'Paused', startedAt: '2026-03-01T01:00:00.000Z', failing: HOUR_AGO } });
      one.store.script.batches = [refused];
      expect(await one.look()).toEqual({ kind: 'done' });
      expect(ended(one)).toEqual(['Failed', true, []]);
      expect(one.run().status).toMatchObject({ why: expect.stringMatching(/^a function of the store.*failed 8 times/), failing: { count: 8 } });
      expect(one.actions().at(-1)).toBe('purge.failed');
    });

    test('and does not answer at the end either ends all the same, and the record says what may be missing', async () => {
      const one = await stage();
      one.approve();
      one.change({ status: { state: 'Paused', startedAt: '2026-03-01T01:00:00.000Z', failing: HOUR_AGO } });
      one.store.connections.writer = () => Promise.reject(refused);
      await one.look();
      expect(one.run().status).toMatchObject({ state: 'Failed', why: expect.stringMatching(/its last batches may not be on record: Failed$/) });
    });

    test('to be verified stays in verification, takes its turn, and is certified when that works again', async () => {
      const one = await stage();
      one.approve();
      one.store.script.batches = [40];
      await one.look();
      const { reader } = one.store.connections;
      one.store.connections.reader = async (...how) => (how[1] === 'verify' ? Promise.reject(new StoreError('PermissionDenied', 'verify lacks a privilege')) : reader(...how));
      await one.look();
      expect(one.run().status).toMatchObject({ state: 'Verifying', failing: { count: 1, deleted: 40 } });
      one.store.connections.reader = reader;
      await one.look();
      expect(one.run().status?.state).toBe('Succeeded');
      expect(one.run().status).not.toHaveProperty('failing');
    });
  });

  test('deletes nothing while the audit log cannot write', async () => {
    const one = await stage();
    one.approve();
    one.store.script.batches = [40];
    one.audit.broken = new Error('disk full');
    await one.look();
    expect([one.run().status?.state, one.run().status?.why, batches(one)]).toEqual(['Waiting', 'disk full', []]);
  });
});

describe('a partition that a crash left detached', () => {
  const october = { partition: { schema: 'public', name: 'views_10' }, table: { schema: 'public', name: 'views' } };
  const attached: UndoneDrop = { ...october, end: 'Attached' };
  const left: UndoneDrop = { ...october, end: 'Left', because: 'a row came that lies outside its bounds' };

  /** A run that drops partitions and has begun. */
  async function dropping(undone: UndoneDrop[] | Error, method: 'DropPartition' | 'BlockRange' = 'DropPartition', state: 'Running' | 'Waiting' = 'Running'): Promise<Stage> {
    const one = await stage();
    const plan = { ...one.run().spec.plan, steps: one.run().spec.plan.steps.map((step) => ({ ...step, method })) };
    one.change({ spec: { plan, planDigest: planDigest(plan) }, status: { state } });
    one.approve();
    one.store.script.claim.run = one.run().metadata.uid ?? '';
    one.store.script.undone = undone;
    return one;
  }
  const freezes = (one: Stage): void => void (one.store.script.fence = { owner: 'us', marker: 'm', holdsRevision: 1, holds: [], frozen: { by: 'dba', reason: 'audit', at: '2026-03-01T00:00:00Z' } });
  const changesPolicy = (one: Stage, purge: object, annotations = policy.metadata.annotations ?? {}): void => one.redeclare({ ...policy, metadata: { ...policy.metadata, annotations }, spec: { ...policy.spec, purge: { ...policy.spec.purge!, ...purge } } });
  const asked = (one: Stage): string[] => one.store.calls.filter((call) => call.includes('undoDrops'));
  const told = (one: Stage): string => one.audit.entries.map(({ action, refs }) => `${action}: ${String(refs?.['why'])}`).join('\n');

  test.each<[string, (one: Stage) => void, string]>([
    ['while the store is frozen', freezes, 'Paused Frozen'],
    ['while the policy is suspended', (one) => changesPolicy(one, { suspend: true }), 'Paused Suspended'],
    ['while the window is closed', (one) => changesPolicy(one, { schedule: { ...policy.spec.purge!.schedule, cron: '0 14 * * *' } }, {}), 'Paused WaitingForWindow'],
    ['when its policy is gone', (one) => one.client.take(RETENTION_POLICY, { namespace: 'platform-db', name: 'general' }), 'Superseded Superseded'],
    ['when a person deletes the run', (one) => one.change({ metadata: { deletionTimestamp: '2026-03-01T02:00:00Z' } }), 'Running undefined'],
    ['when the store refuses the run', (one) => void (one.store.script.plan = { ...one.store.script.plan, refusals: [{ reason: 'SideEffect', collection: 'views', message: 'a trigger' }] }), 'Waiting SideEffect'],
    ['when the work breaks off', (one) => void one.store.script.batches.push(new StoreError('Conflict', 'changed')), 'Paused ProgressingWithRetry'],
  ])('is attached again %s, and that is on record', async (_when, happens, state) => {
    const one = await dropping([attached]);
    happens(one);
    await one.look();
    const condition = one.run().status?.conditions?.find(({ type }) => type === 'Ready');
    expect(`${one.run().status?.state} ${condition?.reason}`).toBe(state);
    expect(asked(one)).toEqual([`enforce:undoDrops for us of ${one.run().metadata.uid}`]);
    expect(told(one)).toContain('purge.undone: the drop of partition public.views_10 of public.views came to no end; it was attached again');
    expect(one.run().status?.why ?? '').not.toContain('detached');
  });

  test.each<[string, (one: Stage) => void]>([
    ['while the store is frozen', freezes],
    ['when its policy is gone', (one) => one.client.take(RETENTION_POLICY, { namespace: 'platform-db', name: 'general' })],
  ])('that cannot be attached is told of in the status %s, with the reason', async (_when, happens) => {
    const one = await dropping([left]);
    happens(one);
    await one.look();
    expect(one.run().status?.why).toMatch(/; partition public\.views_10 of public\.views is detached and could not be attached again: a row came/);
    expect(one.run().status?.conditions?.find(({ type }) => type === 'Ready')?.message).toContain('views_10');
  });

  test('that cannot be attached when a person deletes the run is named in its last record', async () => {
    const one = await dropping([left]);
    one.change({ metadata: { deletionTimestamp: '2026-03-01T02:00:00Z' } });
    await one.look();
    expect(told(one)).toMatch(/^purge\.withdrawn: the PurgeRun was deleted by a person; partition public\.views_10 .*: a row came/);
    expect(one.run().metadata.finalizers).toEqual([]);
  });

  test('is not said to be attached where the store did not answer', async () => {
    const one = await dropping(new StoreError('Unreachable', 'gone'));
    freezes(one);
    await one.look();
    expect(one.run().status?.why).toMatch(/; whether a partition of it is detached is not known: Unreachable/);
  });

  test.each<[string, 'DropPartition' | 'BlockRange', 'Running' | 'Waiting']>([
    ['that drops no partition', 'BlockRange', 'Running'],
    ['that has not begun', 'DropPartition', 'Waiting'],
  ])('is not looked for by a run %s', async (_which, method, state) => {
    const one = await dropping([attached], method, state);
    freezes(one);
    await one.look();
    expect([one.run().status?.conditions?.find(({ type }) => type === 'Ready')?.reason, asked(one)]).toEqual(['Frozen', []]);
  });

  test('is left alone in a store that is not the one of the plan', async () => {
    const one = await dropping([attached]);
    one.store.script.identity = { ...one.store.script.identity, fingerprint: digest('f') };
    await one.look();
    expect([one.run().status?.conditions?.find(({ type }) => type === 'Ready')?.reason, asked(one)]).toEqual(['TargetChanged', []]);
  });
});
