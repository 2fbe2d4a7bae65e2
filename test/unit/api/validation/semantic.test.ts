import { describe, expect, test } from '@jest/globals';
import { DATA_MAP, DATA_STORE, LEGAL_HOLD, RETENTION_POLICY } from '../../../../src/api/kinds.ts';
import type { KindRef, KubeObject } from '../../../../src/api/object.ts';
import { loadApi } from '../../../../src/api/validation/load.ts';
import { cronProblem, semanticFindings, zoneProblem } from '../../../../src/api/validation/semantic.ts';
import { CRDS, acceptedObjects, mergePatch } from '../../../crds/cases.ts';
import type { Patch } from '../../../crds/cases.ts';

const { validator } = loadApi(CRDS);

function findingsOf(kind: KindRef, name: string, patch: Patch): [string, string][] {
  const from = acceptedObjects().find((object) => object.kind === kind.kind && object.metadata.name === name);
  const { object } = validator.prepare(kind, mergePatch(from, patch) as KubeObject);
  return semanticFindings(object).map(({ path, message }) => [path, message]);
}

describe('zoneProblem', () => {
  test.each(['UTC', 'Europe/Paris', 'Etc/UTC', 'Etc/GMT+1', 'America/Argentina/Buenos_Aires'])('%s is a zone', (zone) => {
    expect(zoneProblem(zone)).toBeUndefined();
  });
  test.each(['Local', '02:00', '+02:00', 'CET', 'Europe/Atlantis', 'europe/paris', '', 'Europe/', '../etc/passwd'])('%j is none', (zone) => {
    expect(zoneProblem(zone)).toContain('use an IANA name');
  });
});

describe('cronProblem', () => {
  test.each(['0 2 * * *', '*/15 0-6 1,15 JAN-MAR MON-FRI', '30 1 * * 0'])('%s is a schedule', (cron) => {
    expect(cronProblem(cron)).toBeUndefined();
  });
  test.each(['', '* * * *', '0 0 2 * * *', '0  2 * * *', '@daily', ' 0 2 * * *'])('%j has not five fields', (cron) => {
    expect(cronProblem(cron)).toContain('does not have five fields');
  });
  test.each(['60 2 * * *', '0 24 * * *', '0 2 30 2 *', '0 2 * * MOO', '5-1 * * * *'])('%s never comes or is not understood', (cron) => {
    expect(cronProblem(cron)).toContain('never comes or is not understood');
  });
});

describe('semanticFindings', () => {
  test('has nothing to say about the accepted objects', () => {
    const kinds = [DATA_MAP, DATA_STORE, LEGAL_HOLD, RETENTION_POLICY];
    const findings = acceptedObjects().flatMap((object) => {
      const kind = kinds.find((candidate) => candidate.kind === object.kind);
      if (kind === undefined) return [];
      return semanticFindings(validator.prepare(kind, object).object).map(({ message }) => message);
    });
    // Their maps refer to collections that other examples leave out.
    expect(findings).toEqual(['this map describes no collection sessions; add it or correct the name', 'this map describes no collection clients; add it or correct the name']);
  });

  const collection = { name: 'a', table: { name: 'a' }, categories: ['user'] };
  const cases: [string, KindRef, string, Patch, string, string][] = [
    ['a zone that is nowhere', RETENTION_POLICY, 'client-a', { spec: { timeZone: 'Europe/Atlantis' } }, 'spec.timeZone', 'Europe/Atlantis'],
    [
      'a zone of a time field that is nowhere',
      DATA_MAP,
      'tenants',
      { spec: { collections: [{ ...collection, times: [{ event: 'Created', field: 'at', type: 'Timestamp', timeZone: 'Mars/Base' }] }] } },
      'spec.collections[0].times[0].timeZone',
      'Mars/Base',
    ],
    ['a schedule of a day that never comes', RETENTION_POLICY, 'client-a', { spec: { purge: { schedule: { cron: '0 2 31 2 *' } } } }, 'spec.purge.schedule.cron', 'never comes'],
    ['a counting schedule at hour 25', DATA_STORE, 'orders', { spec: { observation: { counts: { schedule: '0 25 * * *' } } } }, 'spec.observation.counts.schedule', 'not understood'],
    ['a review two thousand years ago', LEGAL_HOLD, 'everything', { spec: { reviewAt: '0027-01-01' } }, 'spec.reviewAt', 'correct the year'],
    [
      'a span that begins in a year nobody can mean',
      LEGAL_HOLD,
      'everything',
      { spec: { scope: [{ stores: { all: {} }, collections: { all: {} }, between: { event: 'Created', from: '0205-01-01', to: '2025-07-01' } }] } },
      'spec.scope[0].between.from',
      'outside of the years',
    ],
    ['a hold that takes its own place', LEGAL_HOLD, 'everything', { spec: { supersedes: 'everything' } }, 'spec.supersedes', 'its own place'],
    [
      'a reference to a collection the map does not have',
      DATA_MAP,
      'tenants',
      { spec: { collections: [{ ...collection, references: [{ field: 'b', to: 'b', toField: 'id' }] }] } },
      'spec.collections[0].references[0].to',
      'no collection b',
    ],
    [
      'an event that the other collection does not read either',
      DATA_MAP,
      'tenants',
      { spec: { collections: [{ ...collection, times: [{ event: 'Created', via: 'b', of: 'b' }] }, { ...collection, name: 'b', table: { name: 'b' } }] } },
      'spec.collections[0].times[0].of',
      'does not read the event Created',
    ],
    [
      'one table in two collections',
      DATA_MAP,
      'tenants',
      { spec: { collections: [collection, { ...collection, name: 'b' }] } },
      'spec.collections[1].table',
      'described by the collection a already',
    ],
    [
      'one table with and without personal data',
      DATA_MAP,
      'tenants',
      { spec: { collections: [collection], nonPersonal: [{ table: { name: 'a' }, reason: 'r', by: 'b', reviewAt: '2027-01-01' }] } },
      'spec.nonPersonal[0].table',
      'cannot hold no personal data',
    ],
  ];
  test.each(cases)('%s', (_, kind, name, patch, path, message) => {
    expect(findingsOf(kind, name, patch)).toEqual([[path, expect.stringContaining(message)]]);
  });

  test('two tables whose names with their schemas read the same are two', () => {
    const collections = [{ ...collection, table: { schema: 'a', name: 'b.c' } }, { ...collection, name: 'b', table: { schema: 'a.b', name: 'c' } }];
    expect(findingsOf(DATA_MAP, 'tenants', { spec: { collections } })).toEqual([]);
  });

  test('a kind of somebody else has no findings', () => {
    expect(semanticFindings({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a' } })).toEqual([]);
  });
});
