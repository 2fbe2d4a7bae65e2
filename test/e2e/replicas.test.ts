import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataStore } from '../../src/api/generated/dataStore.ts';
import type { PurgeRun } from '../../src/api/generated/purgeRun.ts';
import type { RetentionPolicy } from '../../src/api/generated/retentionPolicy.ts';
import { DATA_STORE, PURGE_RUN, RETENTION_POLICY } from '../../src/api/kinds.ts';
import type { Certificate } from '../../src/evidence/certificate.ts';
import { runCli } from '../support/cli.ts';
import { startReplica } from '../support/postgres.ts';
import type { TestPostgres } from '../support/postgres.ts';
import { POLICY, STORE } from '../support/sample-manifests.ts';
import { until } from '../support/until.ts';
import { localStage } from './local-stage.ts';
import type { LocalStage } from './local-stage.ts';
import { approve, refOf, requestRun, untilState } from './people.ts';

let stage: LocalStage;
let replica: TestPostgres;
beforeAll(async () => {
  stage = await localStage({ sessions: 200, hold: false });
  replica = stage.cleanup.add(await startReplica(stage.store.postgres), (server) => server.stop('immediate'));
}, 60_000);
afterAll(() => stage?.cleanup.run());

const declare = (...servers: readonly TestPostgres[]): Promise<DataStore> =>
  stage.alice.client.mergePatch<DataStore>(DATA_STORE, STORE, { spec: { endpoint: { replicas: servers.map(({ host, port }) => ({ host, port })) } } });

/** The certificate of a run, found good by whoever has only the files. */
async function certificateOf(run: PurgeRun): Promise<Certificate> {
  const { evidence } = stage.operator;
  const file = join(evidence, 'certificates', `${STORE.namespace}.${run.metadata.name}-certificate.json`);
  const verified = await runCli(['certificate', 'verify', file, '--checkpoints', join(evidence, 'checkpoints'), '-o', 'json']);
  expect({ code: verified.code, verdict: JSON.parse(verified.stdout) }).toMatchObject({ code: 0, verdict: { shape: { ok: true }, signature: { state: 'Valid' }, audit: { state: 'Anchored' } } });
  return JSON.parse(await readFile(file, 'utf8')) as Certificate;
}

const levelsOf = (certificate: Certificate): string[] => [...new Set(certificate.collections.map(({ verification }) => verification.level))];

test('a run waits for a replica that is behind, and rows are gone from it when the certificate says so', async () => {
  const { alice, bob } = stage;
  await declare(replica);
  const run = await requestRun(alice);
  await replica.query('SELECT pg_wal_replay_pause()');
  await approve(bob, run);
  const waiting = await until('the run waits for the replica', async () => [await alice.client.get<PurgeRun>(PURGE_RUN, refOf(run))].find((seen) => seen?.status?.why?.includes('replicas[0] (ReplicaBehind)')));
  expect(waiting.status).toMatchObject({ state: 'Verifying', verification: { level: 'VerifiedLive', residual: 0 } });
  await replica.query('SELECT pg_wal_replay_resume()');
  const ended = await untilState(alice, run, ['Succeeded', 'Failed']);
  expect(ended.status).toMatchObject({ state: 'Succeeded', verification: { level: 'VerifiedReplicas', residual: 0, by: 'verify', replicas: [{ place: 0, verified: true, residual: 0 }] } });
  expect(ended.status?.verification?.counts).toBeUndefined();
  expect(await replica.query(`SELECT count(*)::int AS n FROM page_views WHERE viewed_at < now() - interval '26 months'`, undefined, 'sample')).toEqual([{ n: 0 }]);
  const certificate = await certificateOf(ended);
  expect(certificate.replicas).toEqual([{ place: 0, verified: true, reason: null }]);
  expect(levelsOf(certificate)).toEqual(['VerifiedReplicas']);
  expect(certificate.notCovered).toContain('read replicas that are not declared, logical subscribers and copies outside this store');
});

test('a declared replica that is none does not stop the run, which says in all places what it did not look at', async () => {
  const { alice, store } = stage;
  await declare(replica, store.postgres);
  await store.query(`INSERT INTO page_views SELECT -s.id, s.id, s.client_id, s.visitor_id, now() - interval '40 months', s.visitor_id, '' FROM (SELECT * FROM sessions LIMIT 5) s`);
  await alice.client.mergePatch<RetentionPolicy>(RETENTION_POLICY, POLICY, { metadata: { annotations: { 'dataward.io/requested-at': new Date().toISOString() } } });
  const second = await until('the second run is planned', async () => (await alice.client.list<PurgeRun>(PURGE_RUN, { namespace: STORE.namespace })).find(({ status }) => !status?.finishedAt));
  const ended = await untilState(alice, second, ['Succeeded', 'Failed']);
  expect(ended.status).toMatchObject({ state: 'Succeeded', progress: { deleted: 5 }, why: expect.stringMatching(/^No due row is left in the primary\. Not verified: replicas\[1\] \(NotAReplica: it takes writes/), verification: { level: 'VerifiedLive', replicas: [{ place: 0, verified: true }, { place: 1, verified: false, reason: 'NotAReplica' }] } });
  expect(ended.status?.conditions).toContainEqual(expect.objectContaining({ type: 'Completed', status: 'True', reason: 'Succeeded', message: ended.status?.why }));
  const certificate = await certificateOf(ended);
  expect(certificate.replicas).toEqual([{ place: 0, verified: true, reason: null }, { place: 1, verified: false, reason: 'NotAReplica' }]);
  expect(levelsOf(certificate)).toEqual(['VerifiedLive']);
  expect(certificate.notCovered.find((text) => text.startsWith('replicas[1]'))).toMatch(/^replicas\[1\] of the store: not verified, NotAReplica: it takes writes/);
  expect(JSON.stringify([certificate, ended.status])).not.toContain('127.0.0.1');
});
