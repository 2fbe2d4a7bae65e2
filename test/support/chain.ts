import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signCheckpoint, type Checkpoint } from '../../src/evidence/audit/checkpoint.ts';
import { openAuditLog } from '../../src/evidence/audit/log.ts';
import type { AuditEntry } from '../../src/evidence/audit/record.ts';
import { listSegments } from '../../src/evidence/audit/segments.ts';
import { canonicalJson } from '../../src/evidence/canonical.ts';
import type { SigningKey } from '../../src/evidence/keys.ts';

/** Audit chains for tests: written by the real log, spoilt by hand. */

export const NOON = new Date('2026-11-24T12:00:00.000Z');

/** Runs `use` with a new folder and removes it afterwards. */
export async function withFolder<T>(use: (dir: string) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'dataward-audit-'));
  try {
    return await use(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

export function entry(n: number): AuditEntry {
  return {
    actor: 'dataward',
    action: 'purge.batch',
    object: { kind: 'PurgeRun', namespace: 'platform-db', name: 'run-1' },
    outcome: 'Done',
    refs: { batch: n, deleted: n * 10, note: 'é "quoted" \\ ,"hash":"' },
  };
}

/** A chain of `records` records, the first one included, with checkpoints after the given ones. */
export async function writeChain(dir: string, records: number, options: { segmentBytes?: number; key?: SigningKey; anchors?: number[] } = {}): Promise<Checkpoint[]> {
  const log = await openAuditLog({ dir, clock: () => NOON, ...(options.segmentBytes ? { segmentBytes: options.segmentBytes } : {}) });
  const checkpoints: Checkpoint[] = [];
  for (let seq = log.head().seq; seq <= records; seq++) {
    if (options.key && options.anchors?.includes(seq)) checkpoints.push(signCheckpoint(log.chainId, log.head(), options.key, NOON));
    if (seq < records) await log.append(entry(seq + 1));
  }
  await log.close();
  return checkpoints;
}

/** All lines of a chain as `[path, lines]` per segment. */
export async function readLines(dir: string): Promise<{ path: string; lines: string[] }[]> {
  return (await listSegments(dir)).map(({ path }) => ({ path, lines: readFileSync(path, 'utf8').trimEnd().split('\n') }));
}

export function writeLines(path: string, lines: string[]): void {
  writeFileSync(path, lines.map((line) => `${line}\n`).join(''));
}

/** What a forger with full access to the folder does: change records and compute every hash after them anew. */
export function rehash(lines: string[], change: (record: Record<string, unknown>) => void): string[] {
  let prevHash = '0'.repeat(64);
  return lines.map((line) => {
    const { hash: _old, ...record } = JSON.parse(line) as Record<string, unknown>;
    change(record);
    record['prevHash'] = prevHash;
    prevHash = createHash('sha256').update(canonicalJson(record)).digest('hex');
    return canonicalJson({ ...record, hash: prevHash });
  });
}
