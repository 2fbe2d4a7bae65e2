import type { StoreReader } from '../port.ts';
import { readApprovedRules } from './approved.ts';
import type { Connection } from './connection.ts';
import { countRows } from './count.ts';
import { explainPurge } from './explain.ts';
import { readFence } from './fence.ts';
import { readFingerprint } from './fingerprint.ts';
import { readHistogram } from './histogram.ts';
import { readClock, readIdentity, readSessions } from './identity.ts';
import { readInventory } from './inventory.ts';
import { countKept, readMisread } from './kept.ts';
import { readHoldsOn } from './holds-on.ts';
import { planPurge } from './planning.ts';
import { hasReached, readPosition } from './position.ts';
import { readMissingRights } from './rights.ts';

/**
 * The reading half of a PostgreSQL store over one connection. Methods may be called at the same time; they are
 * done one after the other, since two transactions on one connection would become one.
 */
export function createReader(connection: Connection): StoreReader {
  const { serial } = connection;
  return {
    identity: () => serial(() => readIdentity(connection)),
    clock: () => serial(() => readClock(connection)),
    inventory: () => serial(() => readInventory(connection)),
    sessions: () => serial(() => readSessions(connection)),
    fence: () => serial(() => readFence(connection)),
    count: (request) => serial(() => countRows(connection, request)),
    histogram: (table, time, options) => serial(() => readHistogram(connection, table, time, options)),
    fingerprint: (table, where) => serial(() => readFingerprint(connection, table, where)),
    countKept: (table, where, options) => serial(() => countKept(connection, table, where, options)),
    holdsOn: (tables) => serial(() => readHoldsOn(connection, tables)),
    misread: (items) => serial(() => readMisread(connection, items)),
    planPurge: (request) => serial(() => planPurge(connection, request)),
    explain: (request) => serial(() => explainPurge(connection, request)),
    approvedRules: (policyUid) => serial(() => readApprovedRules(connection, policyUid)),
    position: () => serial(() => readPosition(connection)),
    hasReached: (position) => serial(() => hasReached(connection, position)),
    missingRights: (tables, right) => serial(() => readMissingRights(connection, tables, right)),
    close: () => connection.close(),
  };
}
