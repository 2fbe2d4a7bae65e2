import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { KubeConfig } from '@kubernetes/client-node';
import { createCache } from '../../src/runtime/cache.ts';
import type { Cache } from '../../src/runtime/cache.ts';
import { createClient, isAlreadyExists, isConflict, isInvalid } from '../../src/runtime/client.ts';
import type { Client } from '../../src/runtime/client.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createController, itself, source } from '../../src/runtime/controller.ts';
import { EVENT } from '../../src/runtime/event-object.ts';
import { createEventRecorder } from '../../src/runtime/events.ts';
import { ensureFinalizer, removeFinalizer } from '../../src/runtime/finalizers.ts';
import { createElection } from '../../src/runtime/lease.ts';
import { LEASE } from '../../src/runtime/lease-spec.ts';
import type { Lease } from '../../src/runtime/lease-spec.ts';
import { conditionsFor, done } from '../../src/runtime/result.ts';
import { updateStatus } from '../../src/runtime/status.ts';
import { createWriteBarrier } from '../../src/runtime/write-barrier.ts';
import type { KindRef, KubeObject } from '../../src/api/object.ts';
import { silentLogger } from '../../src/telemetry/logger.ts';
import type { LogFields } from '../../src/telemetry/logger.ts';
import { controlPlaneBinaries } from '../support/controlplane-binaries.ts';
import { startControlPlane } from '../support/controlplane.ts';
import type { ControlPlane } from '../support/controlplane.ts';
import { eventually } from '../support/fake-apiserver.ts';
import { WIDGET_CRD } from './widget-crd.ts';

const WIDGET: KindRef = { group: 'test.dataward.io', version: 'v1alpha1', plural: 'widgets', kind: 'Widget', namespaced: true };
const CRD: KindRef = { group: 'apiextensions.k8s.io', version: 'v1', plural: 'customresourcedefinitions', kind: 'CustomResourceDefinition', namespaced: false };

interface Widget extends KubeObject {
  spec: { size: number; colour?: string };
  status?: { conditions?: { type: string; status: string }[] };
}

const widget = (name: string, size = 1): Widget => ({ apiVersion: 'test.dataward.io/v1alpha1', kind: 'Widget', metadata: { name, namespace: 'default' }, spec: { size } });

const suite = (await controlPlaneBinaries()) === undefined ? describe.skip : describe;

suite('against a real API server', () => {
  let plane: ControlPlane;
  let client: Client;
  let userAgent: string;

  beforeAll(async () => {
    plane = await startControlPlane();
    userAgent = 'runtime-test/1';
    const config = new KubeConfig();
    config.loadFromFile(plane.adminKubeconfig);
    client = createClient(config, { userAgent, qps: 0 });
    await client.create(CRD, WIDGET_CRD as unknown as KubeObject);
    for (let tries = 0; !(await client.serves(WIDGET)); tries += 1) {
      if (tries > 100) throw new Error('the kind is not served');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });
  afterAll(async () => {
    client.close();
    await plane.stop();
  });

  /** Runs `use` with a cache of widgets that is stopped after. */
  const withCache = async (use: (cache: Cache<Widget>, signal: AbortSignal) => Promise<void>): Promise<void> => {
    const abort = new AbortController();
    const cache = createCache<Widget>(client, WIDGET);
    const running = cache.start(abort.signal);
    try {
      await cache.synced();
      await use(cache, abort.signal);
    } finally {
      abort.abort();
      await running;
    }
  };

  test('writes, refusals and conflicts are what the client says they are', async () => {
    expect((await client.whoAmI()).username).toBe('admin');
    const created = await client.create(WIDGET, widget('basics'));
    expect(created.spec.colour).toBe('Red');
    const codes = await Promise.allSettled([
      client.create(WIDGET, widget('basics')),
      client.create(WIDGET, widget('too-large', 1_000)),
      client.replace(WIDGET, { ...created, metadata: { ...created.metadata, resourceVersion: '1' } }),
      client.delete(WIDGET, { namespace: 'default', name: 'basics' }, { uid: 'another' }),
    ]);
    const reasons = codes.map((each) => (each.status === 'rejected' ? each.reason : undefined) as unknown);
    expect([isAlreadyExists(reasons[0]), isInvalid(reasons[1]), isConflict(reasons[2]), isConflict(reasons[3])]).toEqual([true, true, true, true]);
    await client.create(WIDGET, widget('dry'), { dryRun: true });
    expect(await client.get(WIDGET, { namespace: 'default', name: 'dry' })).toBeUndefined();
    const applied = await client.apply(WIDGET, widget('basics', 7), { fieldManager: 'test', force: true });
    expect(applied.spec.size).toBe(7);
    await client.delete(WIDGET, { namespace: 'default', name: 'basics' }, { uid: created.metadata.uid ?? '' });
  });

  test('a status written from the object of a cache takes nothing else of it along', async () => {
    await withCache(async (cache) => {
      const ref = { namespace: 'default', name: 'known' };
      const text = '{"note":"kubectl reads this"}';
      await client.create(WIDGET, { ...widget('known'), metadata: { ...ref, annotations: { 'kubectl.kubernetes.io/last-applied-configuration': text } } });
      await eventually('the cache has it', () => cache.get(ref) !== undefined);
      const known = cache.get(ref);
      expect(known?.metadata).not.toHaveProperty('managedFields');
      expect(known?.metadata.annotations).toBeUndefined();
      await updateStatus<Widget>(client, WIDGET, ref, (stored) => ({ conditions: conditionsFor(done(), { generation: stored.metadata.generation ?? 0, now: Date.now() }) }), { known });
      const stored = await client.get<Widget>(WIDGET, ref);
      expect(stored?.status?.conditions?.[0]?.type).toBe('Ready');
      expect(stored?.metadata.annotations).toEqual({ 'kubectl.kubernetes.io/last-applied-configuration': text });
      const { managedFields } = (stored?.metadata ?? {}) as { managedFields?: { subresource?: string }[] };
      expect(managedFields?.map((entry) => entry.subresource).toSorted()).toEqual(['status', undefined]);
      await client.delete(WIDGET, ref);
    });
  });

  test('a controller brings status and finalizer to an object, and lets it go', async () => {
    await withCache(async (cache, signal) => {
      const finalizer = 'test.dataward.io/protect';
      const barrier = createWriteBarrier(cache);
      const stale: string[] = [];
      const controller = createController({
        name: 'widgets',
        sources: [source(cache, itself)],
        barrier,
        logger: { ...silentLogger, error: (message: string, fields?: LogFields) => void stale.push(`${message} ${String(fields?.['error'])}`) },
        clock: systemClock,
        reconcile: async (ref) => {
          const current = cache.get(ref);
          if (current === undefined) return done();
          if (current.metadata.deletionTimestamp !== undefined) {
            await removeFinalizer(client, WIDGET, current, finalizer);
            return done();
          }
          await ensureFinalizer(client, WIDGET, current, finalizer);
          await updateStatus<Widget>(client, WIDGET, ref, (stored) => ({ conditions: conditionsFor(done(), { generation: stored.metadata.generation ?? 0, now: Date.now() }) }), { barrier });
          return done();
        },
      });
      await controller.start(signal);
      await client.create(WIDGET, widget('led'));
      await eventually('status and finalizer', () => {
        const held = cache.get({ namespace: 'default', name: 'led' });
        return held?.status?.conditions?.[0]?.type === 'Ready' && held.metadata.finalizers?.includes(finalizer) === true;
      });
      await client.delete(WIDGET, { namespace: 'default', name: 'led' });
      await eventually('it is gone', () => cache.get({ namespace: 'default', name: 'led' }) === undefined);
      await controller.stop();
      expect(stale).toEqual([]);
    });
  });

  test('a thousand objects come in pages, and a crash of the API server loses no change', async () => {
    for (let from = 0; from < 1_000; from += 50) await Promise.all(Array.from({ length: 50 }, (_each, index) => client.create(WIDGET, widget(`many-${from + index}`))));
    await withCache(async (cache) => {
      expect(cache.list()).toHaveLength(1_000);
      const deleted: string[] = [];
      cache.onChange((change) => {
        if (change.type === 'deleted') deleted.push(change.object.metadata.name);
      });
      await plane.killApiServer();
      await plane.restartApiServer();
      const backAt = performance.now();
      await client.delete(WIDGET, { namespace: 'default', name: 'many-0' });
      await client.create(WIDGET, widget('after'));
      await eventually('both changes', () => cache.get({ namespace: 'default', name: 'after' }) !== undefined && deleted.length > 0, 10_000);
      expect(performance.now() - backAt).toBeLessThan(5_000);
      expect(deleted).toEqual(['many-0']);
      const versions = (objects: Widget[]): string => objects.map((object) => `${object.metadata.uid}/${object.metadata.resourceVersion}`).toSorted().join();
      expect(versions(cache.list())).toBe(versions(await client.list<Widget>(WIDGET)));
    });
  });

  test('the lease and the events are accepted, MicroTime and all', async () => {
    const abort = new AbortController();
    const election = createElection({ client, ref: { namespace: 'default', name: 'lead' }, identity: 'me', clock: systemClock, random: Math.random, logger: silentLogger, retryPeriodMs: 50, onStartedLeading: () => {}, onStoppedLeading: () => {} });
    const running = election.run(abort.signal);
    await eventually('it leads', () => election.isLeader());
    abort.abort();
    await running;
    expect((await client.get<Lease>(LEASE, { namespace: 'default', name: 'lead' }))?.spec?.holderIdentity ?? '').toBe('');

    const failures: LogFields[] = [];
    const recorder = createEventRecorder({ client, controller: 'test.dataward.io/test', instance: 'pod-1', clock: systemClock, logger: { ...silentLogger, warn: (_message: string, fields: LogFields = {}) => void failures.push(fields) } });
    const about = await client.create(WIDGET, widget('told'));
    for (let time = 0; time < 5; time += 1) recorder.event(about, { type: 'Warning', reason: 'StoreUnreachable', action: 'Probe', note: 'no answer' });
    await recorder.stop();
    expect(failures).toEqual([]);
    const events = (await client.list<KubeObject & { regarding?: { name: string }; series?: { count: number } }>(EVENT, { namespace: 'default' })).filter((event) => event.regarding?.name === 'told');
    expect(events.map((event) => event.series?.count)).toEqual([5]);
  });

  test('the audit log of the server names us', async () => {
    expect(await readFile(plane.auditLogPath, 'utf8')).toContain(`"userAgent":"${userAgent}"`);
  });
});
