import { join } from 'node:path';
import { openAnchor } from '../evidence/audit/anchor.ts';
import { directoryCheckpointSink } from '../evidence/audit/checkpoint-directory.ts';
import type { Checkpoint, CheckpointSink } from '../evidence/audit/checkpoint.ts';
import type { Journal } from '../evidence/audit/journal.ts';
import type { AuditLog } from '../evidence/audit/log.ts';
import { openingOf, predecessorsIn, recordMissing } from '../evidence/audit/predecessors.ts';
import { nameOrPseudonym } from '../evidence/pseudonym.ts';
import { loadPublicKeys, type PublicKeys } from '../evidence/keys.ts';
import type { Clock } from '../runtime/clock.ts';
import { within } from '../runtime/within.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { DomainMetrics } from '../telemetry/metrics.ts';
import { watchHealth } from './audit-health.ts';
import { openFolder, type EvidenceFolder } from './evidence-folder.ts';

/** The evidence an operator keeps: open while it leads, because a chain has one writer. */
export interface Evidence extends Pick<EvidenceFolder, 'key' | 'keep' | 'kept'> {
  audit: AuditLog;
  journal: Journal;
  /** Signs the end of the chain and puts it into every second place; null when none of them took it. */
  anchor: () => Promise<Checkpoint | null>;
  /** Last record that a checkpoint covers which some second place is known to hold; 0: none. */
  anchored: () => number;
  /** A client's key as evidence may carry it: a name, or a pseudonym where it looks like a person. */
  nameClient: (key: string) => string;
  /** Anchors the end of the chain, then gives the folder free. */
  close: () => Promise<void>;
}

export interface EvidenceOptions {
  dir: string;
  /** Second places for checkpoints beside the folder itself. */
  sinks: readonly CheckpointSink[];
  clock: Clock;
  logger: Logger;
  metrics: DomainMetrics;
  actor: string;
  /** How long to wait for another writer of the same folder to end: a pod that is replaced takes a moment to go. */
  lockWaitMillis: number;
}

const RULE = { everyRecords: 1_000, everyMillis: 300_000 };
const LOOK_EVERY_MS = 30_000;
/** At the end the second places have this long to take the last checkpoint. */
const LAST_ANCHOR_MS = 4_000;

/**
 * Opens the chain, the key and the anchoring of one installation, all under one folder.
 *
 * @throws `ConfigError` when the folder cannot be made or written; `FolderLockedError` when another process has it
 * @throws `AuditRewoundError` when the folder is older than, or other than, what was signed before; then nothing may
 *   be destroyed until a person has looked.
 */
export async function openEvidence(options: EvidenceOptions): Promise<Evidence> {
  const { dir, clock, logger, metrics } = options;
  const now = (): Date => new Date(clock.now());
  const { key, pseudonymKey, chain, keep, kept } = await openFolder({ ...options, now });
  const { audit, journal } = chain;
  try {
    const sinks = [directoryCheckpointSink(join(dir, 'checkpoints')), ...options.sinks];
    const keys = await loadPublicKeys(join(dir, 'keys'));
    const anchoring = await openAnchor({ log: audit, key, earlierKeys: keys, sinks, rule: RULE });
    await tellOfMissing(audit, sinks, keys, options);

    const report = (outcomes: readonly { sink: string; error?: Error }[], kept: boolean): void => {
      for (const { sink, error } of outcomes) if (error) logger.warn('a checkpoint could not be stored', { sink, error });
      if (kept) metrics.auditLastCheckpoint.set(clock.now() / 1000);
    };
    const anchor = async (): Promise<Checkpoint | null> => {
      const { checkpoint, outcomes, kept } = await anchoring.anchor(now());
      report(outcomes, kept);
      return kept ? checkpoint : null;
    };

    let cancel = (): void => {};
    let closed = false;
    const look = async (): Promise<void> => {
      try {
        const done = await anchoring.tick(now());
        if (done) report(done.outcomes, done.kept);
      } catch (error) {
        logger.error('the audit chain could not be anchored', { error });
      }
    };
    const schedule = (): void => {
      // A look that was under way when the log was closed must not lead to another: somebody else may write there by then.
      if (closed) return;
      cancel = clock.setTimer(LOOK_EVERY_MS, () => void look().then(schedule));
    };
    const endWatch = watchHealth(chain, options);
    await look();
    // Until another is due it is the one of before: no time would be 1970, and an alert on its age would go off at each start.
    const last = anchoring.last();
    if (last) metrics.auditLastCheckpoint.set(Date.parse(last.ts) / 1000);
    schedule();

    return {
      audit,
      journal,
      key,
      anchor,
      anchored: () => anchoring.last()?.seq ?? 0,
      nameClient: (name) => nameOrPseudonym(name, pseudonymKey),
      keep,
      kept,
      async close() {
        closed = true;
        cancel();
        endWatch();
        // The folder has the checkpoint at once; a second place that hangs must not keep the next writer out.
        await within(anchor(), LAST_ANCHOR_MS, clock).catch((error: unknown) => logger.warn('the audit chain could not be anchored at the end', { error }));
        await audit.close();
      },
    };
  } catch (error) {
    await audit.close();
    throw error;
  }
}

/**
 * A chain that begins where another is known of may be somebody's clean slate: it goes on, since that may be meant, but
 * not in silence.
 */
async function tellOfMissing(audit: AuditLog, sinks: readonly CheckpointSink[], keys: PublicKeys, { logger, actor }: EvidenceOptions): Promise<void> {
  const opening = await openingOf(audit.dir);
  if (!opening.open) return;
  const told = new Set(opening.missing.map(({ chainId }) => chainId));
  const known = (await Promise.all(sinks.map((sink) => sink.list()))).flat();
  const missing = predecessorsIn(known, audit.chainId, keys).filter(({ chainId }) => !told.has(chainId));
  for (const { chainId, seq, ts, keyId, signature } of missing) {
    const message = 'an audit chain that a checkpoint knows is not in the evidence folder, and a new one begins; unless it was put away on purpose, stop the operator and put the folder back';
    logger.error(message, { missing: chainId, throughRecord: seq, signedAt: ts, keyId, signature, chain: audit.chainId });
  }
  await recordMissing(audit, actor, missing);
}
