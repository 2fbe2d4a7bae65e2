import type { Chain } from '../evidence/audit/chain.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { DomainMetrics } from '../telemetry/metrics.ts';

/** Costs nothing, and people who look for why nothing is deleted any more look into the log first. */
const HEALTH_EVERY_MS = 2_000;
/** How often a log that stopped is tried: its disk may have room again. */
const REOPEN_EVERY_MS = 10_000;

/**
 * Shows whether the log can be written, says each change once, and opens one that stopped again. By a timer of its own,
 * since a second place may hang. Gives the end of it.
 */
export function watchHealth({ audit, reopen }: Chain, { clock, logger, metrics }: { clock: Clock; logger: Logger; metrics: Pick<DomainMetrics, 'auditChainOk'> }): () => void {
  let cancel = (): void => {};
  let writable = true;
  let tried = Number.NEGATIVE_INFINITY;
  const look = (): void => {
    const health = audit.healthy();
    if (!health.ok && health.stopped && clock.now() - tried >= REOPEN_EVERY_MS) {
      tried = clock.now();
      reopen().catch((error: unknown) => logger.debug('the audit log cannot be opened again yet', { error }));
    }
    metrics.auditChainOk.set(health.ok ? 1 : 0);
    if (writable && !health.ok) logger.error('the audit log cannot be written; nothing is deleted', { reason: health.reason });
    if (!writable && health.ok) logger.info('the audit log can be written again');
    writable = health.ok;
    cancel = clock.setTimer(HEALTH_EVERY_MS, look);
  };
  look();
  return () => cancel();
}
