import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KindRef, KubeObject } from '../../../src/api/object.ts';
import { OPERATOR_USER_NAME } from '../../../src/local/users.ts';
import { createCache } from '../../../src/runtime/cache.ts';
import { createClient } from '../../../src/runtime/client.ts';
import type { Client } from '../../../src/runtime/client.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { createController, itself, source } from '../../../src/runtime/controller.ts';
import { EVENT } from '../../../src/runtime/event-object.ts';
import { createEventRecorder } from '../../../src/runtime/events.ts';
import { ensureFinalizer, removeFinalizer } from '../../../src/runtime/finalizers.ts';
import { createElection } from '../../../src/runtime/lease.ts';
import { conditionsFor, done } from '../../../src/runtime/result.ts';
import { updateStatus } from '../../../src/runtime/status.ts';
import { silentLogger } from '../../../src/telemetry/logger.ts';
import type { LogFields } from '../../../src/telemetry/logger.ts';
import { WIDGET_CRD } from '../../controlplane/widget-crd.ts';
import { eventually } from '../../support/fake-apiserver.ts';
import { startTestLocalServer } from '../../support/local-server.ts';
import type { TestLocalServer } from '../../support/local-server.ts';

const WIDGET: KindRef = { group: 'test.dataward.io', version: 'v1alpha1', plural: 'widgets', kind: 'Widget', namespaced: true };

interface Widget extends KubeObject {
  spec: { size: number };
  status?: { conditions?: { type: string; status: string }[] };
}

const widget = (name: string, size = 1): Widget => ({ apiVersion: 'test.dataward.io/v1alpha1', kind: 'Widget', metadata: { name, namespace: 'default' }, spec: { size } });

function clientOf(server: TestLocalServer): Client {
  const config = new KubeConfig();
  config.loadFromString(server.kubeconfig(OPERATOR_USER_NAME));
  return createClient(config, { userAgent: 'dataward-test', qps: 0 });
}

describe('the machinery of the controllers against the local API server', () => {
  let server: TestLocalServer;
  let client: Client;
  beforeAll(async () => {
    server = await startTestLocalServer([WIDGET_CRD]);
    client = clientOf(server);
  });
  afterAll(async () => {
    client.close();
    await server.close();
  });

  test('knows who it is', async () => {
    expect(await client.whoAmI()).toMatchObject({ username: OPERATOR_USER_NAME });
    expect(await client.serves(WIDGET)).toBe(true);
    expect(await client.serves({ ...WIDGET, group: 'nothing.example.com' })).toBe(false);
  });

  test('a controller brings status and finalizer to an object, and lets it go', async () => {
    const abort = new AbortController();
    const cache = createCache<Widget>(client, WIDGET);
    const running = cache.start(abort.signal);
    await cache.synced();
    const finalizer = 'test.dataward.io/protect';
    const controller = createController({
      name: 'widgets',
      sources: [source(cache, itself)],
      logger: silentLogger,
      clock: systemClock,
      reconcile: async (ref) => {
        const current = cache.get(ref);
        if (current === undefined) return done();
        if (current.metadata.deletionTimestamp !== undefined) {
          await removeFinalizer(client, WIDGET, current, finalizer);
          return done();
        }
        await ensureFinalizer(client, WIDGET, current, finalizer);
        await updateStatus<Widget>(client, WIDGET, ref, (stored) => ({ conditions: conditionsFor(done(), { generation: stored.metadata.generation ?? 0, now: Date.now() }) }));
        return done();
      },
    });
    await controller.start(abort.signal);
    await client.create(WIDGET, widget('led'));
    const held = (): Widget | undefined => cache.get({ namespace: 'default', name: 'led' });
    await eventually('status and finalizer', () => held()?.status?.conditions?.[0]?.type === 'Ready' && held()?.metadata.finalizers?.includes(finalizer) === true);
    await client.delete(WIDGET, { namespace: 'default', name: 'led' });
    await eventually('it is gone', () => held() === undefined);
    await controller.stop();
    abort.abort();
    await running;
  });

  test('the lease and the events are accepted', async () => {
    const abort = new AbortController();
    const election = createElection({
      client, ref: { namespace: 'default', name: 'lead' }, identity: 'me', clock: systemClock, random: Math.random, logger: silentLogger, retryPeriodMs: 50,
      onStartedLeading: () => undefined, onStoppedLeading: () => undefined,
    });
    const running = election.run(abort.signal);
    await eventually('it leads', () => election.isLeader());
    abort.abort();
    await running;

    const failures: LogFields[] = [];
    const logger = { ...silentLogger, warn: (_message: string, fields: LogFields = {}) => void failures.push(fields) };
    const recorder = createEventRecorder({ client, controller: 'test.dataward.io/test', instance: 'pod-1', clock: systemClock, logger });
    const about = await client.create(WIDGET, widget('told'));
    for (let time = 0; time < 5; time += 1) recorder.event(about, { type: 'Warning', reason: 'StoreUnreachable', action: 'Probe', note: 'no answer' });
    await recorder.stop();
    expect(failures).toEqual([]);
    const events = await client.list<KubeObject & { series?: { count: number } }>(EVENT, { namespace: 'default' });
    expect(events.map((event) => event.series?.count)).toEqual([5]);
  });

  test('a list longer than a page comes whole', async () => {
    await Promise.all(Array.from({ length: 520 }, (_each, index) => client.create(WIDGET, widget(`many-${index}`))));
    expect((await client.list(WIDGET)).filter(({ metadata }) => metadata.name.startsWith('many-'))).toHaveLength(520);
  });
});

test('a cache follows a server that is restarted on its state, and misses no change', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'dataward-state-'));
  const first = await startTestLocalServer([WIDGET_CRD], [], { stateDir });
  const client = clientOf(first);
  await client.create(WIDGET, widget('kept'));
  await client.create(WIDGET, widget('doomed'));
  const abort = new AbortController();
  const cache = createCache<Widget>(client, WIDGET);
  const running = cache.start(abort.signal);
  await cache.synced();
  const deleted: string[] = [];
  cache.onChange(({ type, object }) => {
    if (type === 'deleted') deleted.push(object.metadata.name);
  });
  const port = Number(new URL(first.url).port);
  await client.delete(WIDGET, { namespace: 'default', name: 'doomed' });
  await first.close();
  const second = await startTestLocalServer([WIDGET_CRD], [], { stateDir, listen: { host: '127.0.0.1', port } });
  await client.create(WIDGET, widget('new'));
  await eventually('both changes', () => cache.get({ namespace: 'default', name: 'new' }) !== undefined && deleted.length > 0, 10_000);
  expect(cache.list().map(({ metadata }) => metadata.name).toSorted()).toEqual(['kept', 'new']);
  expect(deleted).toEqual(['doomed']);
  abort.abort();
  await running;
  client.close();
  await second.close();
  await rm(stateDir, { recursive: true });
});
