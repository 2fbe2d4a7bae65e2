import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openAuditLog } from '../src/evidence/audit/log.ts';
import type { AuditEntry } from '../src/evidence/audit/record.ts';
import { listSegments } from '../src/evidence/audit/segments.ts';
import { verifyAuditLog } from '../src/evidence/audit/verify.ts';

/**
 * What the audit chain costs. Durable appends against the bare writes and fsyncs of the same bytes in the same groups, in
 * turns so that a noisy machine hits both, and the rate and memory of verification.
 *
 *     npx tsx bench/audit.bench.ts [rounds] [folder]
 *
 * The folder decides which disk is measured. Prints a table and one JSON line per result.
 */

const ROUNDS = Number(process.argv[2] ?? 5);
const PARENT = process.argv[3] ?? tmpdir();
const GROUPS = [1, 10, 100, 1000] as const;
/** Enough groups that one slow fsync does not decide. */
const GROUPS_PER_ROUND = { 1: 500, 10: 300, 100: 200, 1000: 60 } as const;
const VERIFY_RECORDS = 400_000;

/** A batch of a purge as the journal takes it over: about 500 bytes a line. */
function batch(row: number): AuditEntry {
  return {
    actor: 'system:serviceaccount:dataward-system:dataward',
    action: 'journal.batch',
    object: { kind: 'PurgeRun', namespace: 'platform-db', name: 'behaviour-25-months-3f9a1c20' },
    outcome: 'Done',
    refs: { store: 'platform-db/analytics', run: '3f9a1c20', row, batch: { collection: 'page-views', deleted: 5000, method: 'BlockRange' } },
  };
}

async function inFolder<T>(use: (dir: string) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(PARENT, 'dataward-bench-'));
  try {
    return await use(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

async function secondsOf(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/** Processor time, user and system, of the whole process: steadier than wall time on a busy machine. */
async function cpuMicrosOf(work: () => Promise<void>): Promise<number> {
  const start = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(start);
  return user + system;
}

async function chainRate(group: number, groups: number): Promise<{ rate: number; bytes: number; cpu: number }> {
  return inFolder(async (dir) => {
    const log = await openAuditLog({ dir, clock: () => new Date() });
    let cpu = 0;
    const seconds = await secondsOf(async () => {
      cpu = await cpuMicrosOf(async () => {
        for (let g = 0; g < groups; g++) await Promise.all(Array.from({ length: group }, (_, i) => log.append(batch(g * group + i))));
      });
    });
    await log.close();
    return { rate: (group * groups) / seconds, cpu: cpu / (group * groups), bytes: statSync((await listSegments(dir))[0]!.path).size / (group * groups + 1) };
  });
}

async function rawRate(group: number, groups: number, bytes: number): Promise<number> {
  return inFolder(async (dir) => {
    const handle = await open(join(dir, 'raw'), 'ax', 0o600);
    const data = Buffer.alloc(Math.round(bytes * group), 'x');
    const seconds = await secondsOf(async () => {
      for (let g = 0; g < groups; g++) {
        await handle.write(data);
        await handle.datasync();
      }
    });
    await handle.close();
    return (group * groups) / seconds;
  });
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

const round = (value: number) => Math.round(value).toLocaleString('en');
const rows: Record<string, string | number>[] = [];
const results: object[] = [];

for (const group of GROUPS) {
  const chain: number[] = [];
  const raw: number[] = [];
  const cpu: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const one = await chainRate(group, GROUPS_PER_ROUND[group]);
    chain.push(one.rate);
    cpu.push(one.cpu);
    raw.push(await rawRate(group, GROUPS_PER_ROUND[group], one.bytes));
  }
  const share = median(chain.map((rate, i) => rate / raw[i]!));
  rows.push({ measure: `durable append, groups of ${group}`, 'records/s': round(median(chain)), 'bare write+fsync': round(median(raw)), share: share.toFixed(2), 'CPU µs/record': median(cpu).toFixed(1) });
  results.push({ bench: 'audit.append', group, rounds: ROUNDS, perSecond: Math.round(median(chain)), rawPerSecond: Math.round(median(raw)), share: Number(share.toFixed(3)), cpuMicros: Number(median(cpu).toFixed(2)) });
}

await inFolder(async (dir) => {
  const log = await openAuditLog({ dir, clock: () => new Date() });
  for (let row = 0; row < VERIFY_RECORDS; row += 1000) await Promise.all(Array.from({ length: 1000 }, (_, i) => log.append(batch(row + i))));
  await log.close();
  const rates: number[] = [];
  const cpu: number[] = [];
  let peakMegabytes = 0;
  const watch = setInterval(() => (peakMegabytes = Math.max(peakMegabytes, process.memoryUsage().rss / 2 ** 20)), 20);
  const before = process.memoryUsage().rss / 2 ** 20;
  for (let i = 0; i < ROUNDS; i++) {
    const seconds = await secondsOf(async () => {
      const micros = await cpuMicrosOf(async () => {
        const { integrity } = await verifyAuditLog({ dir });
        if (integrity.records !== VERIFY_RECORDS + 1) throw new Error(`verified ${integrity.records} records only`);
      });
      cpu.push(micros / VERIFY_RECORDS);
    });
    rates.push(VERIFY_RECORDS / seconds);
  }
  clearInterval(watch);
  const grown = Math.max(0, peakMegabytes - before);
  rows.push({ measure: `verify ${round(VERIFY_RECORDS)} records`, 'records/s': round(median(rates)), 'bare write+fsync': '', share: `+${grown.toFixed(0)} MB`, 'CPU µs/record': median(cpu).toFixed(1) });
  results.push({ bench: 'audit.verify', records: VERIFY_RECORDS, rounds: ROUNDS, perSecond: Math.round(median(rates)), rssGrowthMegabytes: Math.round(grown), cpuMicros: Number(median(cpu).toFixed(2)) });
});

console.table(rows);
for (const result of results) console.log(JSON.stringify(result));
