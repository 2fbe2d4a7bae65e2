import { openJournal, type Journal } from './journal.ts';
import { openAuditLog, type AuditLog, type AuditLogOptions } from './log.ts';

/** A process could not write and went on by itself; `refs.after` is its last record before. */
export const CHAIN_REOPENED = 'chain.reopened';

/** A chain, and the journals of stores taken over into it, that outlive a failed write. */
export interface Chain {
  readonly audit: AuditLog;
  readonly journal: Journal;
  /**
   * Opens both again where the log has stopped: what is on disk is read anew, and what could not be written was never
   * said to be. Does nothing otherwise, and once the log was closed on purpose. Throws as `openAuditLog` does while the
   * cause is still there; then it may be called again.
   */
  reopen(): Promise<void>;
}

/** Opens a chain for a process that is to go on writing to it when a full disk has room again. Throws as `openAuditLog`. */
export async function openChain(options: AuditLogOptions): Promise<Chain> {
  const open = async (given: AuditLogOptions): Promise<{ log: AuditLog; journal: Journal }> => {
    const log = await openAuditLog(given);
    try {
      return { log, journal: await openJournal(log) };
    } catch (error) {
      await log.close();
      throw error;
    }
  };
  let current = await open(options);
  let closed = false;
  let under: Promise<void> | undefined;

  const again = async (): Promise<void> => {
    const { log } = current;
    const health = log.healthy();
    if (closed || health.ok || !health.stopped) return;
    await log.close();
    const next = await open({ ...options, lockWaitMillis: 0, continues: { chainId: log.chainId, head: log.head() } });
    try {
      // A disk that is still full can be read: only a record on it shows that it takes some again.
      await next.log.append({ actor: options.actor ?? 'dataward', action: CHAIN_REOPENED, object: { kind: 'AuditChain', name: log.chainId }, outcome: 'Noted', refs: { after: log.head().seq } });
    } catch (error) {
      await next.log.close();
      throw error;
    }
    current = next;
  };

  return {
    audit: {
      dir: current.log.dir,
      chainId: current.log.chainId,
      append: (entry) => current.log.append(entry),
      head: () => current.log.head(),
      healthy: () => current.log.healthy(),
      async close() {
        closed = true;
        await under?.catch(() => undefined);
        await current.log.close();
      },
    },
    journal: {
      takeOver: (run, rows) => current.journal.takeOver(run, rows),
      through: (store, run) => current.journal.through(store, run),
      recordedAt: (store, run) => current.journal.recordedAt(store, run),
    },
    async reopen() {
      under ??= again().finally(() => (under = undefined));
      await under;
    },
  };
}
