import type { CollectionRule } from '../../../../src/stores/counting.ts';
import type { StoreWriter } from '../../../../src/stores/port.ts';
import { isQuestion } from '../../../../src/stores/purging.ts';
import type { BatchResult, JournalRow, Pace, PurgePlan, PurgeRequest } from '../../../../src/stores/purging.ts';
import type { Guard, Predicate, TableAddress } from '../../../../src/stores/predicate.ts';
import { connect } from '../../../../src/stores/postgres/connection.ts';
import type { Connection } from '../../../../src/stores/postgres/connection.ts';
import { createReader } from '../../../../src/stores/postgres/reader.ts';
import { createWriter } from '../../../../src/stores/postgres/writer.ts';
import type { WriterParts } from '../../../../src/stores/postgres/writer.ts';
import { ensureRoles } from '../../../support/postgres-roles.ts';
import type { Identity, TestPostgres } from '../../../support/postgres.ts';
import { targetOf } from './support.ts';

export const NOW = '2026-06-01T00:00:00Z';
export const CUTOFF = { instant: '2024-01-01T00:00:00Z', localDate: '2024-01-01', timeZone: 'UTC' };

export const pace: Pace = { maxBatchMillis: 50, workers: 1, maxReplicaLagSeconds: 10, lockTimeoutMillis: 200, maxWalMegabytesPerRun: 20_480, maxUnarchivedWalMegabytes: 1_024 };

export function table(name: string, schema = 'public'): TableAddress {
  return { schema, name };
}

/** Rows whose `created_at` lies before the cutoff. */
export function before(field = 'created_at'): Predicate {
  return { op: 'before', time: { path: { via: [], field }, type: 'TimestampTZ' }, cutoff: CUTOFF };
}

export function oneOf(field: string, ...values: string[]): Predicate {
  return { op: 'oneOf', field: { via: [], field }, values };
}

export function guard(name: string, predicate: Predicate, kind: Guard['kind'] = 'Minimum'): Guard {
  return { kind, name, predicate };
}

/** A collection of the same name as its table. */
export function rule(name: string, changes: Partial<CollectionRule> = {}): CollectionRule {
  return { collection: name, table: table(name), due: before(), guards: [], times: [], acknowledged: [], ...changes };
}

export function request(rules: CollectionRule[], changes: Partial<PurgeRequest> = {}): PurgeRequest {
  return { rules, targets: rules.map(({ collection }) => collection), nonPersonal: [], now: NOW, budgetMs: 10_000, ...changes };
}

export interface TestStore {
  database: string;
  enforce: Identity;
  writer: StoreWriter;
  /** A writer of its own, as another process would have. `wrap` may spoil the connections of its purges; without `asking` its questions are answered here. */
  another(surroundings?: WriterParts['surroundings'], wrap?: (connection: Connection) => Connection, asking?: boolean): Promise<StoreWriter>;
  /** As superuser. */
  sql<Row extends Record<string, unknown>>(text: string, params?: readonly unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

/** A database with tables made by `schema`, the three roles, and the `dataward` schema installed by the enforce role. */
export async function openStore(server: TestPostgres, database: string, schema: string, options: { enforceOwnsTables?: boolean; install?: boolean } = {}): Promise<TestStore> {
  await server.createDatabase(database);
  const sql: TestStore['sql'] = (text, params) => server.ask(text, params, database);
  await sql(schema);
  const roles = await ensureRoles(server, database, options);
  const open: StoreWriter[] = [];
  const another: TestStore['another'] = async (surroundings, wrap = (connection) => connection, asking = false) => {
    const login = (signal?: AbortSignal): ReturnType<typeof connect> =>
      connect(
        targetOf(server, { database }),
        { type: 'password', username: roles.enforce.user, password: roles.enforce.password },
        { purpose: 'enforce', ...(signal === undefined ? {} : { signal }) },
        { readOnly: false },
      );
    const connection = await login();
    const writer = createWriter({ reader: createReader(connection), connection, connect: async (signal) => wrap(await login(signal)), ...(surroundings === undefined ? {} : { surroundings }) });
    open.push(writer);
    return asking ? writer : { ...writer, purge: (step, context) => answered(writer.purge(step, context)) };
  };
  const writer = await another();
  if (options.install !== false) await writer.install({ owner: 'cluster-a', readers: [roles.observe.user, roles.verify.user] });
  return {
    database,
    enforce: roles.enforce,
    writer,
    another,
    sql,
    close: async () => {
      await Promise.all(open.map((each) => each.close()));
    },
  };
}

/** On a busy machine a purge may ask at any time whether to go on. */
async function* answered(results: AsyncIterable<BatchResult>): AsyncGenerator<BatchResult> {
  for await (const result of results) if (!isQuestion(result)) yield result;
}

/** Plans and runs everything; fails when the plan refuses. */
export async function purgeAll(store: TestStore, purgeRequest: PurgeRequest, changes: { run?: string; pace?: Partial<Pace> } = {}): Promise<{ plan: PurgePlan; batches: BatchResult[] }> {
  const plan = await store.writer.planPurge(purgeRequest);
  if (plan.refusals.length > 0) throw new Error(plan.refusals.map(({ reason, message }) => `${reason}: ${message}`).join('\n'));
  return { plan, batches: await runPlan(store.writer, plan, purgeRequest, changes) };
}

/** Runs the steps of a plan under a new claim. */
export async function runPlan(writer: StoreWriter, plan: PurgePlan, purgeRequest: PurgeRequest, { run = 'run-1', pace: changedPace = {} }: { run?: string; pace?: Partial<Pace> } = {}): Promise<BatchResult[]> {
  const claim = await writer.claim(run);
  const batches: BatchResult[] = [];
  for (const step of plan.steps) {
    for await (const batch of writer.purge(step, { request: purgeRequest, claim, pace: { ...pace, ...changedPace }, signal: AbortSignal.timeout(30_000) })) batches.push(batch);
  }
  return batches;
}

/** All rows of a run, page by page. */
export async function wholeJournal(writer: StoreWriter, run: string): Promise<JournalRow[]> {
  const whole: JournalRow[] = [];
  for (let page = await writer.journal(run, 0); page.length > 0; page = await writer.journal(run, whole.at(-1)?.seq ?? 0)) whole.push(...page);
  return whole;
}

/** Without the pauses, which a busy machine may call for at any time. */
export function committed(batches: readonly BatchResult[]): BatchResult[] {
  return batches.filter(({ seq }) => seq > 0);
}

/** Deleted rows by collection. */
export function deletedBy(batches: readonly BatchResult[]): Record<string, number> {
  const totals: Record<string, number> = {};
  for (const { collection, deleted } of batches) if (deleted > 0) totals[collection] = (totals[collection] ?? 0) + deleted;
  return totals;
}

export async function countRows(store: TestStore, name: string): Promise<number> {
  const [row] = await store.sql<{ count: string }>(`SELECT count(*) FROM ${name}`);
  return Number(row?.count);
}
