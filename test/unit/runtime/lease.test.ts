import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createClient } from '../../../src/runtime/client.ts';
import type { Client } from '../../../src/runtime/client.ts';
import { createElection } from '../../../src/runtime/lease.ts';
import { LEASE, mayTake, nextSpec } from '../../../src/runtime/lease-spec.ts';
import type { Election, ElectionOptions } from '../../../src/runtime/lease.ts';
import type { Lease } from '../../../src/runtime/lease-spec.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/telemetry/logger.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { eventually, matching, startFakeApiServer } from '../../support/fake-apiserver.ts';
import type { FakeApiServer } from '../../support/fake-apiserver.ts';

let server: FakeApiServer;
let client: Client;
let abort: AbortController;
let runs: Promise<void>[];

beforeEach(async () => {
  server = await startFakeApiServer();
  client = createClient(server.kubeConfig(), { userAgent: 'test/1', random: () => 0 });
  abort = new AbortController();
  runs = [];
});
afterEach(async () => {
  abort.abort();
  await Promise.all(runs);
  client.close();
  await server.stop();
});

interface Candidate {
  election: Election;
  /** `start`, `stop`: what the callbacks told. */
  told: string[];
}

/** Times a fraction of the real ones, long enough for a busy machine. */
function candidate(identity: string, options: Partial<ElectionOptions> = {}): Candidate {
  const told: string[] = [];
  const election = createElection({
    client,
    ref: { namespace: 'system', name: 'lead' },
    identity,
    clock: systemClock,
    random: () => 0.5,
    logger: silentLogger,
    leaseDurationMs: 2_000,
    renewDeadlineMs: 1_000,
    retryPeriodMs: 50,
    onStartedLeading: () => void told.push('start'),
    onStoppedLeading: () => void told.push('stop'),
    ...options,
  });
  return { election, told };
}
const run = (each: Candidate, signal = abort.signal): Promise<void> => {
  const running = each.election.run(signal);
  runs.push(running);
  return running;
};
const lease = (): Lease['spec'] => server.stored<Lease>(LEASE)[0]?.spec;

describe('an election', () => {
  test('one of three leads, and the lease says who, in MicroTime', async () => {
    const all = ['a', 'b', 'c'].map((name) => candidate(name));
    for (const each of all) void run(each);
    await eventually('a leader', () => all.some((each) => each.election.isLeader()));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(all.filter((each) => each.election.isLeader())).toHaveLength(1);
    const leader = all.find((each) => each.election.isLeader());
    expect(all.every((each) => each.election.leader() === lease()?.holderIdentity)).toBe(true);
    expect(leader?.told).toEqual(['start']);
    expect(lease()?.renewTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    expect(lease()?.leaseTransitions).toBe(0);
  });

  test('a leader that stops gives the lease back, and another leads at once', async () => {
    const stop = new AbortController();
    const first = candidate('a');
    const running = run(first, stop.signal);
    await eventually('the first leads', () => first.election.isLeader());
    const second = candidate('b');
    void run(second);
    await eventually('the second saw the first', () => second.election.leader() === 'a');
    stop.abort();
    await running;
    const releasedAt = performance.now();
    expect([first.told, lease()?.holderIdentity === 'a']).toEqual([['start', 'stop'], false]);
    await eventually('the second leads', () => second.election.isLeader());
    expect(performance.now() - releasedAt).toBeLessThan(1_500);
    expect(lease()?.leaseTransitions).toBe(1);
  });

  test('a stop in the middle of a renewal gives the lease back all the same', async () => {
    const stop = new AbortController();
    const slow: ElectionOptions['client'] = {
      get: (kind, ref, options) => client.get(kind, ref, options),
      create: (kind, object, options) => client.create(kind, object, options),
      async replace(kind, object, options) {
        const stored = await client.replace(kind, object, options);
        await new Promise((resolve) => setTimeout(resolve, 80));
        options?.signal?.throwIfAborted();
        return stored;
      },
    };
    const first = candidate('a', { client: slow });
    const running = run(first, stop.signal);
    await eventually('it leads', () => first.election.isLeader());
    const before = lease()?.renewTime;
    await eventually('a renewal is stored and not yet answered', () => lease()?.renewTime !== before);
    stop.abort();
    await running;
    expect(lease()?.holderIdentity).toBe('');
  });

  test('the lease is kept until the work of the leader has run out', async () => {
    const stop = new AbortController();
    let finish: () => void = () => {};
    const first = candidate('a', { onStoppedLeading: () => new Promise((resolve) => (finish = resolve)) });
    const running = run(first, stop.signal);
    await eventually('it leads', () => first.election.isLeader());
    stop.abort();
    const before = lease()?.renewTime;
    await eventually('it renews on', () => lease()?.renewTime !== before);
    expect(lease()?.holderIdentity).toBe('a');
    finish();
    await running;
    expect(lease()?.holderIdentity).toBe('');
  });

  test('a leader that cannot reach the server stops leading within the renew deadline, and run ends', async () => {
    const metrics = createMetrics({ version: '1', commit: 'c' });
    const first = candidate('a', { metrics: metrics.runtime });
    const running = run(first);
    await eventually('it leads', () => first.election.isLeader());
    expect(await metrics.registry.metrics()).toContain('leader_election_master_status{name="lead"} 1');
    server.inject('hang', () => true, 1_000);
    const cutAt = performance.now();
    await running;
    expect(performance.now() - cutAt).toBeLessThan(1_900);
    expect([first.told, first.election.isLeader()]).toEqual([['start', 'stop'], false]);
    expect(await metrics.registry.metrics()).toContain('leader_election_master_status{name="lead"} 0');
  });

  test('a leader told to come back later than its deadline stops leading in time', async () => {
    const first = candidate('a');
    const running = run(first);
    await eventually('it leads', () => first.election.isLeader());
    server.inject({ status: 429, headers: { 'retry-after': '3' } }, () => true, 1_000);
    const cutAt = performance.now();
    await running;
    expect(performance.now() - cutAt).toBeLessThan(1_900);
    expect(first.told).toEqual(['start', 'stop']);
  });

  test('a leader gets over short failures of the server', async () => {
    const first = candidate('a');
    void run(first);
    await eventually('it leads', () => first.election.isLeader());
    server.inject({ status: 500 }, matching.write, 3);
    server.inject({ status: 409 }, matching.write, 1);
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect([first.told, first.election.isLeader()]).toEqual([['start'], true]);
  });

  test('a lease taken by another ends leadership', async () => {
    const first = candidate('a');
    const running = run(first);
    await eventually('it leads', () => first.election.isLeader());
    const stored = server.stored<Lease>(LEASE)[0];
    if (stored === undefined) throw new Error('no lease');
    server.put<Lease>(LEASE, { ...stored, spec: { ...stored.spec, holderIdentity: 'b' } });
    await running;
    expect(first.told).toEqual(['start', 'stop']);
    expect(lease()?.holderIdentity).toBe('b');
  });

  test('a change of the lease by someone else that leaves us the holder costs nothing', async () => {
    const first = candidate('a');
    void run(first);
    await eventually('it leads', () => first.election.isLeader());
    const stored = server.stored<Lease>(LEASE)[0];
    if (stored === undefined) throw new Error('no lease');
    server.put<Lease>(LEASE, { ...stored, metadata: { ...stored.metadata, labels: { team: 'x' } } });
    const before = lease()?.renewTime;
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect([first.told, first.election.isLeader(), lease()?.renewTime === before]).toEqual([['start'], true, false]);
  });

  test('run ends only when the work of a leader that lost the lease has ended', async () => {
    let finish: () => void = () => {};
    const first = candidate('a', { onStoppedLeading: () => new Promise((resolve) => (finish = resolve)) });
    let over = false;
    const running = run(first).then(() => (over = true));
    await eventually('it leads', () => first.election.isLeader());
    server.inject('hang', () => true, 1_000);
    await eventually('it lost the lease', () => !first.election.isLeader());
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(over).toBe(false);
    await eventually('it was told to stop', () => (finish(), over));
    await running;
  });

  test('a dead leader is replaced after its lease ran out on our own clock, whatever times it wrote', async () => {
    server.put<Lease>(LEASE, { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { namespace: 'system', name: 'lead' }, spec: { holderIdentity: 'dead', leaseDurationSeconds: 1, renewTime: '2099-01-01T00:00:00.000000Z', leaseTransitions: 4 } });
    const second = candidate('b');
    const startedAt = performance.now();
    void run(second);
    await eventually('it leads', () => second.election.isLeader());
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(1_000);
    expect(lease()?.leaseTransitions).toBe(5);
  });

  test('a process that was paused for longer than the deadline does not lead when it wakes up, and does not renew', async () => {
    let paused = 0;
    const first = candidate('a', { clock: { ...systemClock, monotonic: () => systemClock.monotonic() + paused } });
    const running = run(first);
    await eventually('it leads', () => first.election.isLeader());
    paused = 20_000;
    const before = lease()?.renewTime;
    expect(first.election.isLeader()).toBe(false);
    await running;
    expect([first.told, lease()?.renewTime === before]).toEqual([['start', 'stop'], true]);
  });

  test.each<[string, Partial<ElectionOptions>]>([
    ['a deadline that is not before the end of the lease', { renewDeadlineMs: 2_000 }],
    ['a deadline that a late try misses', { renewDeadlineMs: 1_000, retryPeriodMs: 850 }],
    ['a deadline that is over by the next try', { renewDeadlineMs: 1_000, retryPeriodMs: 1_000 }],
    ['no time between two tries', { retryPeriodMs: 0 }],
    ['less than none', { retryPeriodMs: -1 }],
  ])('durations under which two could lead at once, or nobody, are refused: %s', (_, durations) => {
    expect(() => candidate('a', durations)).toThrow(RangeError);
  });

  test('durations that are just enough are taken, and so are those nobody gave', () => {
    expect(() => candidate('a', { renewDeadlineMs: 1_000, retryPeriodMs: 800 })).not.toThrow();
    expect(() => createElection({ client, ref: { namespace: 'system', name: 'lead' }, identity: 'a', clock: systemClock, random: () => 0.5, logger: silentLogger, onStartedLeading: () => {}, onStoppedLeading: () => {} })).not.toThrow();
  });
});

describe('the decision to take a lease', () => {
  const held = { holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 2, acquireTime: 'then' };
  test.each([
    ['there is no holder', { ...held, holderIdentity: '' }, 0, true],
    ['it is ours', { ...held, holderIdentity: 'me' }, 0, true],
    ['another holds it', held, 15_000, false],
    ['another held it for longer than its duration', held, 15_001, true],
    ['it has no spec', undefined, 0, true],
  ])('when %s', (_name, spec, unchangedMs, expected) => {
    expect(mayTake(spec, 'me', unchangedMs)).toBe(expected);
  });

  test('renewing keeps the time of acquisition and the count, taking over counts', () => {
    const by = { identity: 'a', leaseDurationMs: 15_000, now: Date.UTC(2026, 0, 1) };
    expect(nextSpec(held, by)).toMatchObject({ acquireTime: 'then', leaseTransitions: 2, renewTime: '2026-01-01T00:00:00.000000Z' });
    expect(nextSpec(held, { ...by, identity: 'b' })).toMatchObject({ holderIdentity: 'b', acquireTime: '2026-01-01T00:00:00.000000Z', leaseTransitions: 3 });
  });
});
