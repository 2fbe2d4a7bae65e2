import { setTimeout as delay } from 'node:timers/promises';
import type { StoreReader, StoreWriter } from '../port.ts';
import { recordApprovedRules } from './approved.ts';
import type { Connection } from './connection.ts';
import { claim, freeze, thaw } from './fence.ts';
import { putHold, releaseHold } from './holds.ts';
import { install } from './install.ts';
import { readJournalledRuns, trimRun } from './journal-trim.ts';
import { readClients, readJournal, readTotals } from './journal.ts';
import { purge } from './purge.ts';
import { undoDrops } from './undo-drops.ts';
import type { Surroundings } from './work.ts';

export interface WriterParts {
  reader: StoreReader;
  connection: Connection;
  /** Opens another login with the same credential, for the workers of a purge; `signal` ends it. */
  connect(signal: AbortSignal): Promise<Connection>;
  /** Default: the machine's clock and chance. */
  surroundings?: Surroundings;
}

/**
 * The changing half of a PostgreSQL store. A purge works on logins of its own, so that a hold put through the
 * same writer never lands inside a running batch's transaction.
 */
export function createWriter({ reader, connection, connect, surroundings = realSurroundings }: WriterParts): StoreWriter {
  const { serial } = connection;
  return {
    ...reader,
    install: (options) => serial(() => install(connection, options)),
    putHold: (hold, former) => serial(() => putHold(connection, hold, former)),
    releaseHold: (uid) => serial(() => releaseHold(connection, uid)),
    freeze: (by, reason) => serial(() => freeze(connection, by, reason)),
    thaw: (by) => serial(() => thaw(connection, by)),
    claim: (run) => serial(() => claim(connection, run)),
    purge: (step, context) => purge(() => connect(context.signal), surroundings, step, context),
    undoDrops: (which) => serial(() => undoDrops(connection, surroundings, which)),
    journal: (run, afterSeq) => serial(() => readJournal(connection, run, afterSeq)),
    journalTotals: (run, throughSeq) => serial(() => readTotals(connection, run, throughSeq)),
    journalClients: (run, throughSeq) => serial(() => readClients(connection, run, throughSeq)),
    journalledRuns: (limit) => serial(() => readJournalledRuns(connection, limit)),
    trimJournal: (run, limit) => serial(() => trimRun(connection, run, limit)),
    recordApprovedRules: (policyUid, rules) => serial(() => recordApprovedRules(connection, policyUid, rules)),
  };
}

const realSurroundings: Surroundings = {
  monotonicMs: () => performance.now(),
  random: Math.random,
  sleep: async (ms, signal) => {
    await delay(ms, undefined, { signal });
  },
};
