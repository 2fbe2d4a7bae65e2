import { describe, expect, test } from '@jest/globals';
import type { Pace } from '../../../../src/stores/purging.ts';
import { decidePace } from '../../../../src/stores/postgres/pace.ts';
import type { PaceHistory, PaceSample } from '../../../../src/stores/postgres/pace.ts';

const pace: Pace = { maxBatchMillis: 50, workers: 1, maxReplicaLagSeconds: 10, lockTimeoutMillis: 500, maxWalMegabytesPerRun: 100, maxUnarchivedWalMegabytes: 10 };
const quiet: PaceSample = { lockWaiters: 0, vacuuming: false };
const fresh: PaceHistory = { walBytes: 0, snapshotWaitMs: 0, batches: [] };
const megabyte = 1024 * 1024;

describe('the next batch', () => {
  test.each<[string, Partial<PaceSample>, string | undefined]>([
    ['starts on a quiet server', {}, undefined],
    ['starts at the allowed lag', { replicaLagSeconds: 10 }, undefined],
    ['waits for a replica that is behind', { replicaLagSeconds: 10.1 }, 'ReplicaLag'],
    ['waits for a replica that lacks too much, whatever its clock says', { replicaLagSeconds: 0, replicaLagBytes: 10 * megabyte + 1 }, 'ReplicaLag'],
    ['waits for the archive', { unarchivedWalBytes: 10 * megabyte + 1 }, 'WalArchiving'],
    ['starts beside an archive that has said nothing yet', { archiveSilent: true }, undefined],
    ['waits for a replication slot', { slotWalBytes: 10 * megabyte + 1 }, 'ReplicationSlot'],
    ['starts while as much waits as may wait', { unarchivedWalBytes: 10 * megabyte, slotWalBytes: 10 * megabyte, replicaLagBytes: 10 * megabyte }, undefined],
    ['lets others have their lock', { lockWaiters: 1 }, 'LockWaiters'],
    ['lets a vacuum finish', { vacuuming: true }, 'Vacuum'],
    ['starts beside a snapshot of ten minutes', { oldestSnapshotSeconds: 600 }, undefined],
    ['waits for an older snapshot, which keeps every deleted row in its place', { oldestSnapshotSeconds: 601 }, 'LongSnapshot'],
    ['says the most serious reason', { vacuuming: true, replicaLagSeconds: 99 }, 'ReplicaLag'],
  ])('%s', (_name, sample, reason) => {
    const decision = decidePace({ ...quiet, ...sample }, fresh, pace);
    expect('reason' in decision ? decision.reason : undefined).toBe(reason);
  });

  test('never starts when the run has written its WAL', () => {
    expect(decidePace(quiet, { ...fresh, walBytes: 100 * megabyte }, pace)).toEqual({ stop: 'the run wrote 100 MB of WAL, maxWalMegabytesPerRun is 100' });
    expect(decidePace(quiet, { ...fresh, walBytes: 100 * megabyte - 1 }, pace)).toEqual({ go: true });
  });

  test('waits for an archive that neither works nor fails once the run wrote more than may wait, beside the segment being filled', () => {
    const silent: PaceSample = { ...quiet, archiveSilent: true };
    expect(decidePace(silent, { ...fresh, walBytes: 26 * megabyte }, pace)).toEqual({ go: true });
    expect(decidePace(silent, { ...fresh, walBytes: 26 * megabyte + 1 }, pace)).toMatchObject({ go: false, reason: 'WalArchiving' });
    expect(decidePace(quiet, { ...fresh, walBytes: 26 * megabyte + 1 }, pace)).toEqual({ go: true });
  });

  test('does not wait for a forgotten transaction for ever', () => {
    expect(decidePace({ ...quiet, oldestSnapshotSeconds: 90_000 }, { ...fresh, snapshotWaitMs: 58_000 }, pace)).toMatchObject({ go: false });
    expect(decidePace({ ...quiet, oldestSnapshotSeconds: 90_000 }, { ...fresh, snapshotWaitMs: 60_000 }, pace)).toEqual({ go: true });
  });

  test('calls no batch slow that takes less than 150 ms, however small the limit', () => {
    expect(decidePace(quiet, { ...fresh, batches: Array.from({ length: 20 }, () => 140) }, { ...pace, maxBatchMillis: 5 })).toEqual({ go: true });
  });

  test.each<[string, number[], boolean]>([
    ['goes on after nineteen slow batches, which say little', Array.from({ length: 19 }, () => 1_000), true],
    ['goes on when one in twenty was slow', [...Array.from({ length: 19 }, () => 50), 1_000], true],
    ['waits when two in twenty took more than three times the limit', [...Array.from({ length: 18 }, () => 50), 151, 151], false],
    ['waits when those two are long past, as the others are none the faster for it', [151, 151, ...Array.from({ length: 18 }, () => 50)], false],
    ['goes on at three times the limit', Array.from({ length: 20 }, () => 150), true],
  ])('%s', (_name, batches, go) => {
    expect(decidePace(quiet, { ...fresh, batches }, pace)).toMatchObject(go ? { go } : { go, reason: 'SlowBatches' });
  });
});
