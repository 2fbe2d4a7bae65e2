import { describe, expect, test } from '@jest/globals';
import type { DataStore } from '../../../src/api/generated/dataStore.ts';
import { approvedSince, judgeTarget } from '../../../src/rules/target.ts';
import type { ApprovedRule } from '../../../src/stores/fence.ts';
import type { StoreIdentity } from '../../../src/stores/facts.ts';
import { aStore } from '../../support/declared.ts';

const identity = (changes: Partial<StoreIdentity> = {}): StoreIdentity => ({ fingerprint: 'sha256:a+m', bareFingerprint: 'sha256:a', server: 'PostgreSQL 15', timeline: 3, replica: false, ...changes });
const known = (fingerprint: string, timeline = 3): DataStore => aStore({}, {}, { identity: { fingerprint, timeline, server: 'PostgreSQL 15' } });
const marked = (watermark: number): DataStore => aStore({}, {}, { identity: { fingerprint: 'sha256:a+m', timeline: 3, server: 'PostgreSQL 15', watermark } });
const pinned = (expectedTarget: string, store = aStore()): DataStore => ({ ...store, spec: { ...store.spec, expectedTarget } });
const confirmed = (fingerprint: string, store: DataStore): DataStore => ({ ...store, metadata: { ...store.metadata, annotations: { 'dataward.io/confirm-target': fingerprint } } });

describe('who answers under the name of a store', () => {
  const table: [string, DataStore, StoreIdentity, string][] = [
    ['is new the first time', aStore(), identity(), 'New'],
    ['is known by its fingerprint', known('sha256:a+m'), identity(), 'Known'],
    ['is known from before our schema was installed', known('sha256:a'), identity(), 'Known'],
    ['is known after a failover, on a higher timeline', known('sha256:a+m'), identity({ timeline: 4 }), 'Known'],
    ['went back in time on a lower timeline', known('sha256:a+m'), identity({ timeline: 2 }), 'Rewound'],
    ['is known with more written in it', marked(40), identity({ watermark: 41 }), 'Known'],
    ['is known with as much written in it after a failover', marked(40), identity({ watermark: 40, timeline: 4 }), 'Known'],
    ['is known where what was written may not be read', marked(40), identity(), 'Known'],
    ['went back in time on the same timeline, as a snapshot does', marked(40), identity({ watermark: 39 }), 'Rewound'],
    ['went back in time on a higher timeline, as a restore to a point in time does', marked(40), identity({ watermark: 0, timeline: 4 }), 'Rewound'],
    ['is taken back in time when a person confirmed this one', confirmed('sha256:a+m/4/12-40', marked(40)), identity({ watermark: 12, timeline: 4 }), 'Restored'],
    ['is not taken back in time by the word for another restore', confirmed('sha256:a+m/4/12-40', marked(41)), identity({ watermark: 12, timeline: 4 }), 'Rewound'],
    ['is not taken back in time by the word for its timeline', confirmed('sha256:a+m/2', marked(40)), identity({ watermark: 12, timeline: 2 }), 'Rewound'],
    ['is another one by another fingerprint', known('sha256:b+n'), identity(), 'TargetChanged'],
    ['is another one when our marker is gone', known('sha256:a+m'), identity({ fingerprint: 'sha256:a' }), 'TargetChanged'],
    ['is taken when a person confirmed it', confirmed('sha256:a+m', known('sha256:b+n')), identity(), 'Confirmed'],
    ['is taken back in time when a person confirmed that timeline', confirmed('sha256:a+m/2', known('sha256:a+m')), identity({ timeline: 2 }), 'Restored'],
    ['is not taken back in time by the word for another store', confirmed('sha256:a+m', known('sha256:a+m')), identity({ timeline: 2 }), 'Rewound'],
    ['is not taken when a person confirmed another', confirmed('sha256:c', known('sha256:b+n')), identity(), 'TargetChanged'],
    ['is the pinned one', pinned('sha256:a+m'), identity(), 'New'],
    ['is the pinned one, pinned before our schema was installed', pinned('sha256:a'), identity(), 'New'],
    ['is not the pinned one', pinned('sha256:x', known('sha256:a+m')), identity(), 'TargetUnexpected'],
    ['is not the pinned one, whatever a person confirmed', confirmed('sha256:a+m', pinned('sha256:x')), identity(), 'TargetUnexpected'],
  ];
  test.each(table)('%s', (_, store, answering, verdict) => {
    expect(judgeTarget(store, answering).is).toBe(verdict);
  });

  test('is told to have gone back with what is lost and the word that confirms it', () => {
    expect(judgeTarget(marked(40), identity({ watermark: 12, timeline: 4 }))).toMatchObject({
      message: 'the store went back in time: the last 28 of 40 things that runs wrote in it are gone; see that every LegalHold stands, then annotate dataward.io/confirm-target=sha256:a+m/4/12-40',
    });
  });

  test('is told with both fingerprints and what to do', () => {
    expect(judgeTarget(known('sha256:b+n'), identity())).toMatchObject({ message: 'another store answers under this name: sha256:a+m instead of sha256:b+n; if that is intended, annotate dataward.io/confirm-target=sha256:a+m' });
  });
});

describe('the approved rules after a restore', () => {
  const rule = (at: string): ApprovedRule => ({ collection: 'views', rule: '{}', cutoff: '2024-01-01', run: 'r', at });
  const rules = [rule('2026-03-01T00:00:00Z'), rule('2026-03-03T00:00:00Z')];
  const restoredAt = (time: string, status = 'True'): DataStore => ({ ...marked(12), status: { ...marked(12).status, conditions: [{ type: 'Restored', status, reason: 'Restored', message: '', lastTransitionTime: time }] } }) as DataStore;
  const here = identity({ watermark: 12 });

  test.each<[string, DataStore, StoreIdentity, number]>([
    ['all speak where there was none', marked(12), here, 2],
    ['none speaks at the look that takes the store as it is', confirmed('sha256:a+m/3/12-40', marked(40)), here, 0],
    ['those made since speak', restoredAt('2026-03-02T00:00:00Z'), here, 1],
    ['none speaks that came back with it', restoredAt('2026-03-04T00:00:00Z'), here, 0],
  ])('%s', (_name, store, answering, count) => {
    expect(approvedSince(store, answering, rules)).toHaveLength(count);
  });
});
