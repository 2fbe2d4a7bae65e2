import type { AuditLog } from '../../src/evidence/audit/log.ts';
import type { AuditEntry, AuditRecord } from '../../src/evidence/audit/record.ts';
import type { Journal } from '../../src/evidence/audit/journal.ts';

/** An audit log without a disk: for what is recorded and when, not for how it lasts. */
export interface MemoryAudit extends AuditLog {
  readonly entries: AuditEntry[];
  /** When set, every append rejects with it and `healthy` gives its words. */
  broken: Error | undefined;
}

/** @param calls shared with other fakes where the order between them matters; gets `audit <action>`. */
export function memoryAudit(calls: string[] = []): MemoryAudit {
  const entries: AuditEntry[] = [];
  const audit: MemoryAudit = {
    entries,
    broken: undefined,
    dir: '',
    chainId: 'b6f3a1de-0000-4000-8000-000000000001',
    async append(entry) {
      if (audit.broken) throw audit.broken;
      entries.push(entry);
      calls.push(`audit ${entry.action}`);
      return { refs: {}, ...entry, seq: entries.length, ts: '', prevHash: '', hash: '' } as AuditRecord;
    },
    head: () => ({ seq: entries.length, hash: 'a'.repeat(64) }),
    healthy: () => (audit.broken ? { ok: false, reason: audit.broken.message } : { ok: true }),
    close: async () => {},
  };
  return audit;
}

/** Takes everything and keeps nothing. */
export const silentJournal: Journal = { takeOver: async (_run, rows) => ({ taken: rows.length, known: 0, through: rows.at(-1)?.seq ?? 0 }), through: () => 0, recordedAt: () => 0 };
