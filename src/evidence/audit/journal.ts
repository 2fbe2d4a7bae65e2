import type { Json } from '../canonical.ts';
import { readLink } from './line.ts';
import type { AuditLog } from './log.ts';
import { encodeEntry, type AuditEntry, type AuditObject } from './record.ts';
import { listSegments, scanLines } from './segments.ts';

/**
 * Takes the journal that a store keeps in its own transactions over into the audit chain, each row exactly once. How
 * far a run has got is not kept anywhere else: it is read back from the chain, so the two cannot disagree after a crash.
 */

export const JOURNAL_TAKEN_OVER = 'journal.batch';

/** One execution in one store. */
export interface JournalRun {
  /** namespace/name of the DataStore. */
  readonly store: string;
  /** Identity of the run as the store's journal knows it. */
  readonly run: string;
  readonly object: AuditObject;
  readonly actor: string;
}

/** A row of the store's journal; what it carries beside `seq` is plain JSON: counts, names and digests only. */
export interface JournalEntry {
  /** Strictly increasing within the run, in commit order: once a row is visible no lower number may appear. */
  readonly seq: number;
}

export interface TakeOver {
  /** Rows appended by this call. */
  readonly taken: number;
  /** Rows the chain already had. */
  readonly known: number;
  /** Highest row now durable in the chain; 0: none. */
  readonly through: number;
}

export interface Journal {
  /**
   * Appends the rows that the chain does not have yet and resolves when they are durable. Calls for one run are made
   * one after the other. Throws `JournalOrderError` when rows are not in strictly increasing order and
   * `AuditEntryError` when one cannot be recorded, both before anything is appended; `AuditUnavailableError` when the
   * log fails, after which it and the journal are opened again.
   */
  takeOver(run: JournalRun, rows: readonly JournalEntry[]): Promise<TakeOver>;
  /** Highest row of the run in the chain; 0: none. */
  through(store: string, run: string): number;
  /** Number of the record that has this row; 0: there is none. The run's earlier rows are in records before it. */
  recordedAt(store: string, run: string): number;
}

export class JournalOrderError extends Error {
  override readonly name = 'JournalOrderError';
}

/** The last row of a run in the chain, and the number of the record that has it. */
interface Mark {
  readonly row: number;
  readonly record: number;
}

/** Reads how far each run has got. Two numbers per run are kept, however many rows it has. */
export async function openJournal(log: AuditLog): Promise<Journal> {
  const marks = new Map<string, Mark>();
  // Lines are canonical and start with the action: the other records need no parsing.
  const prefix = Buffer.from(`{"action":"${JOURNAL_TAKEN_OVER}",`);
  for (const segment of await listSegments(log.dir)) {
    await scanLines(segment.path, (line, number) => {
      if (line.compare(prefix, 0, prefix.length, 0, Math.min(prefix.length, line.length)) !== 0) return;
      const record = readLink(line);
      if (typeof record === 'string') throw new Error(`audit log ${segment.path} line ${number}: ${record}; verify the chain before anything is taken over`);
      const { store, run, row } = record.refs as { store: string; run: string; row: number };
      marks.set(key(store, run), { row, record: record.seq });
    });
  }
  return new ChainJournal(log, marks);
}

class ChainJournal implements Journal {
  readonly #log: AuditLog;
  readonly #marks: Map<string, Mark>;
  readonly #busy = new Map<string, Promise<unknown>>();

  constructor(log: AuditLog, marks: Map<string, Mark>) {
    this.#log = log;
    this.#marks = marks;
  }

  through(store: string, run: string): number {
    return this.#marks.get(key(store, run))?.row ?? 0;
  }

  recordedAt(store: string, run: string): number {
    return this.#marks.get(key(store, run))?.record ?? 0;
  }

  async takeOver(run: JournalRun, rows: readonly JournalEntry[]): Promise<TakeOver> {
    const id = key(run.store, run.run);
    // Two calls that read the same mark would both append the same rows.
    const before = this.#busy.get(id);
    const mine = (before ?? Promise.resolve()).catch(() => undefined).then(() => this.#takeOver(id, run, rows));
    this.#busy.set(id, mine);
    try {
      return await mine;
    } finally {
      if (this.#busy.get(id) === mine) this.#busy.delete(id);
    }
  }

  async #takeOver(id: string, run: JournalRun, rows: readonly JournalEntry[]): Promise<TakeOver> {
    checkOrder(run, rows);
    const mark = this.#marks.get(id)?.row ?? 0;
    const fresh = rows.filter((row) => row.seq > mark);
    const entries = fresh.map((row) => toEntry(run, row));
    // One row that cannot be recorded must not leave the others half taken over: they would be appended again. A row
    // alone, as a purge hands it in, has no others.
    if (entries.length > 1) for (const entry of entries) encodeEntry(entry);
    const appended = await Promise.all(entries.map((entry) => this.#log.append(entry)));
    const through = fresh.at(-1)?.seq ?? mark;
    const record = appended.at(-1)?.seq;
    if (record !== undefined) this.#marks.set(id, { row: through, record });
    return { taken: appended.length, known: rows.length - appended.length, through };
  }
}

function toEntry(run: JournalRun, row: JournalEntry): AuditEntry {
  const { seq, ...batch } = row;
  return {
    actor: run.actor,
    action: JOURNAL_TAKEN_OVER,
    object: run.object,
    outcome: 'Done',
    // In canonical order, which is the quickest to encode.
    refs: { batch: batch as Json, row: seq, run: run.run, store: run.store },
  };
}

function checkOrder(run: JournalRun, rows: readonly JournalEntry[]): void {
  let last = 0;
  for (const { seq } of rows) {
    if (!Number.isSafeInteger(seq) || seq <= last) {
      throw new JournalOrderError(`journal of run ${run.run} in ${run.store}: row ${seq} after row ${last}; rows must be read in strictly increasing order`);
    }
    last = seq;
  }
}

function key(store: string, run: string): string {
  return `${store}\n${run}`;
}
