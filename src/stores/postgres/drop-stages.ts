import { StoreError } from '../errors.ts';
import type { Claim } from '../fence.ts';
import { tableName } from '../predicate.ts';
import { dropState, parentOf, readStanding, stateBeside } from './apart.ts';
import type { DropState, Standing } from './apart.ts';
import { retryReason } from './batch.ts';
import type { Connection } from './connection.ts';
import { sqlState } from './errors.ts';
import { admit } from './fence.ts';
import { appendJournal } from './journal.ts';
import type { DropPosition, JournalKind } from './journal.ts';
import { COUNT_TIMEOUT_MS } from './partition-due.ts';
import { quoteTable } from './sql.ts';
import { beginChanging } from './transaction.ts';

/** For the small transactions around a drop. */
const SMALL = beginChanging({ lockTimeoutMs: 5_000, statementTimeoutMs: 10_000 });
/** Attaching reads all rows, to know that they lie within the bounds, where the constraint that a concurrent detach leaves is gone. */
const ATTACHING = beginChanging({ lockTimeoutMs: 5_000, statementTimeoutMs: COUNT_TIMEOUT_MS });

/** Whose drops they are. */
export interface Dropping {
  claim: Claim;
  collection: string;
}

/** Commits a stage of a drop by itself. @throws StoreError `Frozen`, `Fenced`, `ForeignOwner` */
export async function recordStage(connection: Connection, dropping: Dropping, kind: JournalKind, intent: DropPosition): Promise<void> {
  await connection.transaction(async () => {
    await admitAnyHolds(connection, dropping);
    await appendStage(connection, dropping, kind, intent);
  }, SMALL);
}

/** Asks whether this run may go on. @throws StoreError `Frozen`, `Fenced`, `ForeignOwner` */
export async function requireAdmission(connection: Connection, dropping: Dropping): Promise<void> {
  await connection.transaction(() => admitAnyHolds(connection, dropping), SMALL);
}

/** Nothing is deleted here, so it does not matter which holds are known; the drop itself asks again. */
async function admitAnyHolds(connection: Connection, { claim }: Dropping): Promise<void> {
  await admit(connection, { claim, holdsRevision: 0 });
}

/**
 * Puts a detached partition back where it came from, so that its rows are seen, held and purged like all others.
 *
 * @param record false where the run is not ours any more, and its journal neither
 * A freeze is not in its way, whoever set it: nothing is deleted, and the application gets its rows back.
 *
 * @returns how it is left: `pending` is half detached still, and not on record
 * @throws StoreError `Conflict` when it does not fit there any more; then a person has to act
 */
export async function reattach(connection: Connection, dropping: Dropping, intent: DropPosition, record = true): Promise<DropState> {
  return connection.transaction(async () => {
    let { state } = await standingOf(connection, intent);
    if (state === 'detached') ({ state } = await lockStanding(connection, intent));
    if (state === 'detached') {
      await attach(connection, intent);
      state = 'attached';
    }
    if (record && state !== 'pending') await appendStage(connection, dropping, 'Reattach', state === 'moved' || state === 'gone' ? { ...intent, lost: state } : intent);
    return state;
  }, ATTACHING);
}

async function attach(connection: Connection, intent: DropPosition): Promise<void> {
  const parent = await parentOf(connection, intent);
  if (parent === undefined) throw new StoreError('Conflict', `${tableName(intent.name)} was detached from ${tableName(intent.parent)} to be dropped, and cannot be attached again since that is gone. Whoever dropped it decides what becomes of this part.`);
  try {
    await connection.query(`ALTER TABLE ${quoteTable(parent)} ATTACH PARTITION ${quoteTable(intent.name)} ${intent.bounds}`);
  } catch (error) {
    const code = sqlState(error);
    if (code === undefined || retryReason(error) !== undefined) throw error;
    throw new StoreError('Conflict', `${tableName(intent.name)} was detached from ${tableName(parent)} to be dropped, may not be dropped, and cannot be attached again (SQLSTATE ${code}): a row came that lies outside its bounds, or its columns, keys or owner are not those of ${tableName(parent)} any more, or another part took its place. Make it fit and attach it; until then nothing of ${tableName(parent)} is purged.`, { cause: error });
  }
  if ((await standingOf(connection, intent)).state !== 'attached') throw new StoreError('Conflict', `Another table got the name ${tableName(parent)} while a part of it was attached again; nothing was changed.`);
}

export interface DropStanding {
  state: DropState;
  /** Undefined: there is no table of its identity. */
  standing: Standing | undefined;
}

/** What has become of a partition. */
async function standingOf(connection: Connection, intent: DropPosition): Promise<DropStanding> {
  const standing = await readStanding(connection, intent.leaf);
  const state = dropState(intent, standing);
  return { state: state === 'detached' ? stateBeside(await parentOf(connection, intent), state) : state, standing };
}

/**
 * The same. Where it still is what the journal says, nobody can change that, or a row of it, or begin to refer to one, from
 * here to the end of the transaction. While it is attached its rows can be read meanwhile: whoever reads its table would wait
 * for the count.
 */
export async function lockStanding(connection: Connection, intent: DropPosition): Promise<DropStanding> {
  const found = await standingOf(connection, intent);
  if (found.state === 'moved' || found.state === 'gone') return found;
  // EXCLUSIVE lets nobody in but readers.
  await connection.query(`LOCK TABLE ONLY ${quoteTable(intent.name)} IN ${found.state === 'detached' ? 'ACCESS EXCLUSIVE' : 'EXCLUSIVE'} MODE`);
  return standingOf(connection, intent);
}

async function appendStage(connection: Connection, { claim, collection }: Dropping, kind: JournalKind, intent: DropPosition): Promise<void> {
  await appendJournal(connection, claim, { collection, table: intent.name, method: 'DropPartition', kind, position: intent, deleted: 0, clients: {} });
}
