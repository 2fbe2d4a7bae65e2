import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openJournal, type Journal } from '../src/evidence/audit/journal.ts';
import { openAuditLog, type AuditLog } from '../src/evidence/audit/log.ts';
import type { AuditEntry } from '../src/evidence/audit/record.ts';
import { listSegments } from '../src/evidence/audit/segments.ts';
import { verifyAuditLog } from '../src/evidence/audit/verify.ts';

/**
 * What the audit chain costs. Durable appends against the bare writes and fsyncs of the same bytes in the same groups, in
 * short turns so that a noisy machine hits both, and the rate and memory of verification. Groups one after the other leave
 * the disk idle while records are hashed; groups handed in while one is written do not.
 *
 *     npx tsx bench/audit.bench.ts [rounds] [folder]
 *
 * The folder decides which disk is measured. Prints a table and one JSON line per result.
 */

const ROUNDS = Number(process.argv[2] ?? 5);
const PARENT = process.argv[3] ?? tmpdir();
const VERIFY_RECORDS = 400_000;
/** Writes between two looks at the watch; short, so that both sides meet the same neighbours on a busy machine. */
const WRITES_PER_TURN = 10;
/** Enough turns a round that one slow fsync does not decide. */
const TURNS = { 1: 60, 10: 40, 100: 20, 1000: 6 } as const;

const RUN = { store: 'platform-db/analytics', run: '3f9a1c20', object: { kind: 'PurgeRun', namespace: 'platform-db', name: 'behaviour-25-months-3f9a1c20' }, actor: 'system:serviceaccount:dataward-system:dataward' };
const BATCH = { collection: 'page-views', deleted: 5000, method: 'BlockRange' };

/** A batch of a purge as the journal takes it over: about 500 bytes a line. */
function batch(row: number): AuditEntry {
  return { actor: RUN.actor, action: 'journal.batch', object: RUN.object, outcome: 'Done', refs: { batch: BATCH, row, run: RUN.run, store: RUN.store } };
}

interface Disk {
  /** Writes of a log, each of which waits for the disk. */
  writes: number;
  /** Called when one has begun. */
  onWrite(): void;
}

interface Chain {
  readonly log: AuditLog;
  readonly journal: Journal;
  readonly disk: Disk;
  row: number;
}

/** Hands in so many groups of so many records and resolves when all are durable. */
type Work = (chain: Chain, group: number, groups: number) => Promise<void>;

function appendGroup(chain: Chain, group: number): Promise<unknown> {
  return Promise.all(Array.from({ length: group }, () => chain.log.append(batch((chain.row += 1)))));
}

/** The purge itself: it waits for each batch before the next one. */
const throughJournal: Work = async (chain, _group, groups) => {
  for (let g = 0; g < groups; g++) await chain.journal.takeOver(RUN, [{ seq: (chain.row += 1), ...BATCH }]);
};

const oneAfterTheOther: Work = async (chain, group, groups) => {
  for (let g = 0; g < groups; g++) await appendGroup(chain, group);
};

/** As from many that do not wait for each other: a group is handed in when the one before is on its way to the disk. */
const whileWritten: Work = async (chain, group, groups) => {
  const appended: Promise<unknown>[] = [];
  let handedIn = 1;
  const last = new Promise<void>((resolve) => {
    chain.disk.onWrite = () => (handedIn++ < groups ? void appended.push(appendGroup(chain, group)) : resolve());
  });
  appended.push(appendGroup(chain, group));
  await last;
  await Promise.all(appended);
  chain.disk.onWrite = () => undefined;
};

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

async function openChain(dir: string): Promise<Chain> {
  const disk: Disk = { writes: 0, onWrite: () => undefined };
  const openFile: typeof open = async (...args) => {
    const handle = await open(...args);
    return new Proxy(handle, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property);
        if (property !== 'write') return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        return (data: Buffer, offset: number) => {
          disk.writes += 1;
          const written = target.write(data, offset);
          disk.onWrite();
          return written;
        };
      },
    });
  };
  // One segment, so that both sides write to one file.
  const log = await openAuditLog({ dir, clock: () => new Date(), openFile, segmentBytes: Number.MAX_SAFE_INTEGER });
  return { log, journal: await openJournal(log), disk, row: 0 };
}

interface Measured {
  /** Records a second. */
  chain: number;
  raw: number;
  share: number;
  /** Processor microseconds a record of the chain. */
  cpu: number;
}

/** Both sides in turns: the same bytes, in the same groups, waiting for the disk as often. */
async function measureRound(group: keyof typeof TURNS, work: Work): Promise<Measured> {
  return inFolder(async (dir) => {
    const chain = await openChain(dir);
    const handle = await open(join(dir, 'raw'), 'ax', 0o600);
    const turns: Measured[] = [];
    for (let turn = 0; turn < TURNS[group]; turn++) {
      const { path } = (await listSegments(dir))[0]!;
      const before = { writes: chain.disk.writes, bytes: statSync(path).size };
      let cpu = 0;
      const seconds = await secondsOf(async () => void (cpu = await cpuMicrosOf(() => work(chain, group, WRITES_PER_TURN))));
      const writes = chain.disk.writes - before.writes;
      if (writes !== WRITES_PER_TURN) throw new Error(`${writes} writes for ${WRITES_PER_TURN} groups of ${group}: there is nothing to compare with`);
      const data = Buffer.alloc(Math.round((statSync(path).size - before.bytes) / WRITES_PER_TURN), 'x');
      const rawSeconds = await secondsOf(async () => {
        for (let write = 0; write < WRITES_PER_TURN; write++) {
          await handle.write(data);
          await handle.datasync();
        }
      });
      const records = group * WRITES_PER_TURN;
      turns.push({ chain: records / seconds, raw: records / rawSeconds, share: rawSeconds / seconds, cpu: cpu / records });
    }
    await handle.close();
    await chain.log.close();
    return medians(turns);
  });
}

function medians(all: readonly Measured[]): Measured {
  return { chain: median(all.map((one) => one.chain)), raw: median(all.map((one) => one.raw)), share: median(all.map((one) => one.share)), cpu: median(all.map((one) => one.cpu)) };
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

const round = (value: number) => Math.round(value).toLocaleString('en');
const rows: Record<string, string | number>[] = [];
const results: object[] = [];

const GROUPS = [1, 10, 100, 1000] as const;
const MEASURES: [name: string, group: keyof typeof TURNS, work: Work][] = [
  ['batches of one purge, through the journal', 1, throughJournal],
  ...GROUPS.map((group) => [`groups of ${group}, one after the other`, group, oneAfterTheOther] as [string, typeof group, Work]),
  ...GROUPS.map((group) => [`groups of ${group}, the next while one is written`, group, whileWritten] as [string, typeof group, Work]),
];

for (const [name, group, work] of MEASURES) {
  const rounds: Measured[] = [];
  for (let i = 0; i < ROUNDS; i++) rounds.push(await measureRound(group, work));
  const { chain, raw, share, cpu } = medians(rounds);
  rows.push({ measure: name, 'records/s': round(chain), 'bare write+fsync': round(raw), share: share.toFixed(2), 'CPU µs/record': cpu.toFixed(1) });
  results.push({ bench: 'audit.append', name, group, rounds: ROUNDS, perSecond: Math.round(chain), rawPerSecond: Math.round(raw), share: Number(share.toFixed(3)), cpuMicros: Number(cpu.toFixed(2)) });
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
