import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { directoryCheckpointSink } from '../evidence/audit/checkpoint-directory.ts';
import { checkpointIsDue, publishCheckpoint, signCheckpoint, type Checkpoint, type CheckpointSink } from '../evidence/audit/checkpoint.ts';
import { openJournal, type Journal } from '../evidence/audit/journal.ts';
import { openAuditLog, type AuditLog } from '../evidence/audit/log.ts';
import { loadOrCreateSigningKey, publicKeyPem, type SigningKey } from '../evidence/keys.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { DomainMetrics } from '../telemetry/metrics.ts';

/** The evidence an operator keeps: open while it leads, because a chain has one writer. */
export interface Evidence {
  audit: AuditLog;
  journal: Journal;
  key: SigningKey;
  /** Signs the end of the chain and puts it into every second place; null when none of them took it. */
  anchor: () => Promise<Checkpoint | null>;
  keep: (name: string, text: string) => Promise<void>;
  close: () => Promise<void>;
}

const RULE = { everyRecords: 1_000, everyMillis: 300_000 };
const LOOK_EVERY_MS = 30_000;

export async function openEvidence(options: { dir: string; sinks: readonly CheckpointSink[]; clock: Clock; logger: Logger; metrics: DomainMetrics; actor: string }): Promise<Evidence> {
  const { dir, clock, logger, metrics } = options;
  await mkdir(join(dir, 'certificates'), { recursive: true, mode: 0o700 });
  await mkdir(join(dir, 'keys'), { recursive: true, mode: 0o700 });
  const key = await loadOrCreateSigningKey(join(dir, 'signing-key.pem'));
  await writeFile(join(dir, 'keys', `${key.keyId}.pem`), publicKeyPem(key));
  const audit = await openAuditLog({ dir: join(dir, 'audit'), clock: () => new Date(clock.now()), actor: options.actor });
  const journal = await openJournal(audit);
  const sinks = [directoryCheckpointSink(join(dir, 'checkpoints')), ...options.sinks];
  let last: { seq: number; at: number } | undefined;
  metrics.auditChainOk.set(1);

  const anchor = async (): Promise<Checkpoint | null> => {
    const checkpoint = signCheckpoint(audit.chainId, audit.head(), key, new Date(clock.now()));
    const outcomes = await publishCheckpoint(checkpoint, sinks);
    for (const outcome of outcomes) if (outcome.error) logger.warn('a checkpoint could not be stored', { sink: outcome.sink, error: outcome.error });
    if (outcomes.every((outcome) => outcome.error)) return null;
    last = { seq: checkpoint.seq, at: clock.now() };
    metrics.auditLastCheckpoint.set(clock.now() / 1000);
    return checkpoint;
  };

  let cancel = (): void => {};
  const look = (): void => {
    cancel = clock.setTimer(LOOK_EVERY_MS, () => {
      metrics.auditChainOk.set(audit.healthy().ok ? 1 : 0);
      const due = checkpointIsDue(RULE, last, audit.head(), clock.now());
      void (due ? anchor() : Promise.resolve(null)).catch((error: unknown) => logger.error('the audit chain could not be anchored', { error })).finally(look);
    });
  };
  look();

  return {
    audit,
    journal,
    key,
    anchor,
    async keep(name, text) {
      await writeFile(join(dir, 'certificates', name), text, { mode: 0o600, flush: true });
    },
    async close() {
      cancel();
      await anchor().catch((error: unknown) => logger.warn('the audit chain could not be anchored at the end', { error }));
      await audit.close();
    },
  };
}
