import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { directoryCheckpointSink } from '../../../src/evidence/audit/checkpoint-directory.ts';
import { readRecord } from '../../../src/evidence/audit/line.ts';
import type { AuditRecord } from '../../../src/evidence/audit/record.ts';
import { verifyAuditLog } from '../../../src/evidence/audit/verify.ts';
import { loadPublicKeys } from '../../../src/evidence/keys.ts';
import { JOURNAL_KEPT_DAYS } from '../../../src/retention/run/trim.ts';
import { bundled } from '../../support/bundled.ts';
import { readLines } from '../../support/chain.ts';
import { startPostgres } from '../../support/postgres.ts';
import type { TestPostgres } from '../../support/postgres.ts';
import { openStore } from '../stores/postgres/purge-support.ts';
import type { TestStore } from '../stores/postgres/purge-support.ts';
import { targetOf } from '../stores/postgres/support.ts';
import type { TrimProcess } from './trim-process.ts';

const RUNS = Array.from({ length: 30 }, (_, index) => `run-${index}`);
const ROWS = 40;
const later = (JOURNAL_KEPT_DAYS + 1) * 86_400_000;

let server: TestPostgres;
let program: string;
let store: TestStore;
let dir: string;
let databases = 0;
const children = new Set<ChildProcess>();
beforeAll(async () => {
  [server, program] = await Promise.all([startPostgres(), bundled(new URL('trim-process.ts', import.meta.url))]);
});
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dataward-trim-'));
  databases += 1;
  store = await openStore(server, `trimmed_${databases}`, 'SELECT 1');
  // Nobody may be logged in while a database is copied.
  await store.close();
  await journal(1, ROWS);
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await rm(dir, { recursive: true, force: true });
});
afterAll(() => server.stop());

/** Rows `from` to `to` of every run, as a purge leaves them. */
async function journal(from: number, to: number): Promise<void> {
  await store.sql(`INSERT INTO dataward.claim (run, epoch, owner, last_seq) SELECT 'uid-' || run, 1, 'cluster-a', $2 FROM unnest($1::text[]) run ON CONFLICT (run) DO UPDATE SET last_seq = $2`, [RUNS, to]);
  await store.sql(
    `INSERT INTO dataward.journal (run, seq, epoch, collection, table_schema, table_name, method, kind, position, deleted, clients)
     SELECT 'uid-' || run, i, 1, 'views', 'public', 'views', 'BlockRange', 'Batch', '{}', 3, '{"a": 2, "b": 1}' FROM unnest($1::text[]) run, generate_series($2::int, $3::int) i`,
    [RUNS, from, to],
  );
}

/** A process that is watched: what it said, and whether it is at work. */
interface Watched {
  output(): string;
  ended(): boolean;
}

/** Starts the process and kills it when `when` is over; without it, waits for its end. Gives what it said. */
async function operate(when?: (child: Watched) => Promise<unknown>): Promise<string> {
  const argument: TrimProcess = { target: targetOf(server, { database: store.database }), credential: { type: 'password', username: store.enforce.user, password: store.enforce.password }, dir, runs: RUNS, later };
  const child = spawn(process.execPath, [program, JSON.stringify(argument)], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const closed = once(child, 'close');
  if (when) {
    await when({ output: () => output, ended: () => child.exitCode !== null });
    child.kill('SIGKILL');
  }
  await closed;
  children.delete(child);
  return output;
}

const said = (word: string) => async (child: Watched): Promise<void> => {
  while (!child.ended() && !child.output().includes(word)) await delay(2);
};

/** Rows of each run in the store. */
async function inStore(): Promise<Map<string, number>> {
  const rows = await store.sql<{ run: string; n: number }>('SELECT run, count(*)::int AS n FROM dataward.journal GROUP BY run');
  return new Map(rows.map(({ run, n }) => [run.replace('uid-', ''), n]));
}

/** Rows of each run on record, each number once. */
async function onRecord(): Promise<Map<string, number[]>> {
  const found = new Map<string, number[]>();
  for (const { lines } of await readLines(join(dir, 'audit'))) {
    for (const line of lines) {
      const record = readRecord(Buffer.from(line)) as AuditRecord;
      if (record.action === 'journal.batch') found.set(record.object.name, [...(found.get(record.object.name) ?? []), record.refs['row'] as number]);
    }
  }
  return found;
}

const verified = async () => verifyAuditLog({ dir: join(dir, 'audit'), checkpoints: await directoryCheckpointSink(join(dir, 'checkpoints')).list(), publicKeys: await loadPublicKeys(join(dir, 'keys')) });
const watermark = async (): Promise<unknown> => (await store.sql('SELECT sum(epoch + last_seq)::int AS mark FROM dataward.claim'))[0];
const all = (rows: number): Map<string, number[]> => new Map(RUNS.map((run) => [run, Array.from({ length: rows }, (_, index) => index + 1)]));

/** A run is there whole, or gone whole and on record whole. */
async function nothingIsLost(): Promise<number> {
  const [left, record] = [await inStore(), await onRecord()];
  for (const run of RUNS) {
    if (left.has(run)) expect([run, left.get(run)]).toEqual([run, ROWS]);
    else expect([run, record.get(run)]).toEqual([run, all(ROWS).get(run)]);
  }
  return left.size;
}

test('runs that an operator takes over and trims are on record once, whenever it is killed; the one that has not ended stays', async () => {
  const mark = await watermark();
  const kills = [
    (child: Watched) => said('opened')(child).then(() => delay(50 + Math.random() * 50)),
    // Between takeover and trim.
    said('anchored'),
    // In the middle of a pass.
    async (child: Watched) => {
      while (!child.ended() && (await inStore()).size === RUNS.length) await delay(1);
    },
    (child: Watched) => said('taken')(child).then(() => delay(Math.random() * 60)),
  ];
  let midway = 0;
  for (const when of kills) {
    const words = await operate(when);
    if (words.includes('opened') && !words.includes('done')) midway += 1;
    await nothingIsLost();
  }
  expect(midway).toBeGreaterThan(1);
  expect(await operate()).toBe('opened\ntaken\nanchored\ndone\n');
  expect([...(await inStore())]).toEqual([[RUNS[0], ROWS]]);
  expect(await onRecord()).toEqual(all(ROWS));
  expect(await watermark()).toEqual(mark);
  expect(await verified()).toMatchObject({ ok: true, integrity: { state: 'Intact' }, completeness: { state: 'Complete' } });
  // Nothing is left to do, and it does nothing.
  expect(await operate()).toBe('opened\ntaken\nanchored\ndone\n');
  expect([...(await inStore())]).toEqual([[RUNS[0], ROWS]]);
}, 180_000);

test('what a store that was put back shows again is not taken over twice, and goes again', async () => {
  await server.createDatabase('kept', { template: store.database });
  expect(await operate()).toContain('done');
  await server.query(`DROP DATABASE ${store.database} WITH (FORCE)`);
  await server.query(`ALTER DATABASE kept RENAME TO ${store.database}`);
  expect((await inStore()).size).toBe(RUNS.length);
  expect(await operate()).toBe('opened\ntaken\nanchored\ndone\n');
  expect([...(await inStore())]).toEqual([[RUNS[0], ROWS]]);
  expect(await onRecord()).toEqual(all(ROWS));
  expect(await verified()).toMatchObject({ ok: true });
}, 180_000);

test('a run of which a store that was put back lost batches is not opened again: its next batch would take a number that is on record', async () => {
  await server.createDatabase('kept', { template: store.database });
  await journal(ROWS + 1, ROWS + 2);
  expect(await operate(said('taken'))).toContain('taken');
  await server.query(`DROP DATABASE ${store.database} WITH (FORCE)`);
  await server.query(`ALTER DATABASE kept RENAME TO ${store.database}`);
  expect(await operate()).toMatch(new RegExp(`up to number ${ROWS + 2}, the journal in the store only up to ${ROWS}:`));
  expect((await inStore()).size).toBe(RUNS.length);
  expect(await onRecord()).toEqual(all(ROWS + 2));
}, 180_000);
