import { isDeepStrictEqual } from 'node:util';
import { StoreError } from '../errors.ts';
import { requirePinned } from '../pinned.ts';
import type { BatchResult, PurgeContext, PurgeStep } from '../purging.ts';
import { Allowance } from './allowance.ts';
import { putBack, readApart } from './apart.ts';
import { readNamed } from './catalogue.ts';
import { topologyOf } from './closure.ts';
import type { Connection } from './connection.ts';
import { Consent } from './consent.ts';
import { keysetColumn, readPlanFacts } from './facts.ts';
import { readFence } from './fence.ts';
import { readHolds } from './holds.ts';
import { readInventory } from './inventory.ts';
import { readProgress } from './journal.ts';
import type { RunProgress } from './journal.ts';
import { firstPage, pagesOf } from './look.ts';
import { merge } from './merge.ts';
import { remainingRanges } from './size.ts';
import { dropPartitions } from './partitions.ts';
import { deleteRings } from './rings.ts';
import { decidePurge } from './plan.ts';
import { readShapes, resolveTargets, targetOf } from './target.ts';
import type { Shapes } from './target.ts';
import { notInstalled } from './transaction.ts';
import { Walker } from './walk.ts';
import type { Compiled, StepWork, Surroundings, Unit } from './work.ts';

/** Runs of pages for each of several workers, so that none has all the due rows of a table in the order of its times. */
const UNITS_PER_WORKER = 6;
/** Shorter ones would only make more and smaller batches. */
const UNIT_PAGES = 1_500;
/** Of a sweep: they take rows that moved, came late or were locked. What is left after them is for the count to report. */
const PASSES = 5;
/** In a table that refers to itself each pass takes the rows nothing refers to any more. */
const SELF_REFERENCE_PASSES = 1_000;

/**
 * Runs one step of a plan; see `StoreWriter.purge`. The plan is derived again first and must be the same; what
 * only protects is added to it.
 *
 * @param connect opens a login of its own for each worker; all are closed at the end
 */
export async function* purge(connect: () => Promise<Connection>, surroundings: Surroundings, step: PurgeStep, context: PurgeContext): AsyncGenerator<BatchResult> {
  const consent = new Consent(step.collection, surroundings.monotonicMs);
  yield* consent.answering(runStep(connect, { ...surroundings, consent }, step, context));
}

async function* runStep(connect: () => Promise<Connection>, surroundings: Surroundings & Pick<StepWork, 'consent'>, step: PurgeStep, context: PurgeContext): AsyncGenerator<BatchResult> {
  const connections = await connectAll(connect, Math.max(1, context.pace.workers));
  try {
    const first = connections[0] as Connection;
    // A partition addressed by its own name is left unread where its bounds, or a valid CHECK, exclude every due row.
    // A worker is one process of the server: helpers of it would take the processors from the application.
    for (const connection of connections) await connection.query('SET constraint_exclusion = on; SET max_parallel_workers_per_gather = 0');
    await requireCountersAndTriggers(first);
    let compiled = await compile(first, step, context);
    const progress = await readProgress(first, context.claim.run, step.collection);
    const work: StepWork = { ...surroundings, step, context, history: { walBytes: progress.walBytes, snapshotWaitMs: 0 }, allowance: new Allowance(context.maxRows ?? Number.POSITIVE_INFINITY), compile: (connection) => compile(connection, step, context) };
    if (step.method === 'DropPartition') compiled = yield* dropPartitions(first, work, compiled);
    const walkers = connections.map((connection) => new Walker(work, connection, compiled));
    if (!context.sweep && !progress.firstPassDone) yield* firstPass(first, walkers, work, progress);
    const unfinished = walkers.some((walker) => walker.leftRows()) || compiled.target.what.edges.some((edge) => edge.self);
    if (context.sweep || progress.firstPassDone || unfinished) yield* sweep(first, walkers, work);
    // Looking for rings reads the whole table, so it is done where a count found rows that the passes leave.
    if (context.sweep) yield* sweepRings(first, walkers, work);
  } finally {
    await Promise.allSettled(connections.map((connection) => connection.close()));
  }
}

/** Logs all workers in at once. Where one fails the others are closed: each would keep a place of the server, and a claim on nothing. */
async function connectAll(connect: () => Promise<Connection>, workers: number): Promise<Connection[]> {
  const logins = await Promise.allSettled(Array.from({ length: workers }, connect));
  const connections = logins.flatMap((login) => (login.status === 'fulfilled' ? [login.value] : []));
  const failed = logins.find((login) => login.status === 'rejected');
  if (failed === undefined) return connections;
  await Promise.allSettled(connections.map((connection) => connection.close()));
  throw failed.reason;
}

/** Once through everything the run has not visited yet. That nothing is left is for a count by another identity to say. */
async function* firstPass(connection: Connection, walkers: readonly Walker[], work: StepWork, progress: RunProgress): AsyncGenerator<BatchResult> {
  const [walker] = walkers as [Walker];
  const { target } = walker.current();
  const column = keysetColumn(target.rule);
  const [only] = target.leaves;
  if (work.step.method === 'Keyset' && column !== undefined && only !== undefined) return yield* walker.keyset(only, column);
  const units: Unit[] = [];
  for (const leaf of target.leaves) {
    const pages = await pagesOf(connection, leaf);
    units.push(...remainingRanges(pages, progress.visited.get(leaf.oid) ?? [], partsFor(pages, walkers.length)).map((range) => ({ leaf, range, pass: 1 })));
  }
  yield* merge(walkers.map((each) => drain(each, units)), () => work.consent.end());
}

/** Passes over whole tables until nothing deletable is left, or a pass could not delete anything. */
async function* sweep(connection: Connection, walkers: readonly Walker[], work: StepWork): AsyncGenerator<BatchResult> {
  for (let pass = 2; ; pass += 1) {
    // Every batch notices by itself when this is outdated.
    const compiled = (walkers[0] as Walker).current();
    const limit = compiled.target.what.edges.some((edge) => edge.self) ? SELF_REFERENCE_PASSES : PASSES;
    if (pass > limit + 1) return;
    const units: Unit[] = [];
    for (const leaf of compiled.target.leaves) {
      const found = yield* firstPage(connection, compiled, leaf, work);
      if (found !== undefined) units.push({ leaf, range: { from: found.page, to: found.pages }, pass });
    }
    if (units.length === 0) return;
    let deleted = 0;
    for await (const result of merge(walkers.map((walker) => drain(walker, units)), () => work.consent.end())) {
      deleted += result.deleted;
      yield result;
    }
    if (deleted === 0) return;
  }
}

/** Rings, and what they referred to, as long as there are some that may go. */
async function* sweepRings(connection: Connection, walkers: readonly Walker[], work: StepWork): AsyncGenerator<BatchResult> {
  for (let deleted = 1; deleted > 0; ) {
    deleted = 0;
    for await (const result of deleteRings(connection, walkers[0] as Walker, SELF_REFERENCE_PASSES + 2, work)) {
      deleted += result.deleted;
      yield result;
    }
    if (deleted > 0) yield* sweep(connection, walkers, work);
  }
}

function partsFor(pages: number, workers: number): number {
  return workers === 1 ? 1 : Math.max(workers, Math.min(workers * UNITS_PER_WORKER, Math.ceil(pages / UNIT_PAGES)));
}

async function* drain(walker: Walker, queue: Unit[]): AsyncGenerator<BatchResult> {
  for (let unit = queue.shift(); unit !== undefined; unit = queue.shift()) yield* walker.blocks(unit);
}

/**
 * The step against the store as it is now, with every hold that stands in it.
 *
 * @throws StoreError `Conflict` when the plan would not come out the same; `Fenced` when nothing is installed;
 *   `Replaced` when a table, or a column the rule asks for, is not the one that was planned
 */
async function compile(connection: Connection, step: PurgeStep, context: PurgeContext): Promise<Compiled> {
  const fence = await readFence(connection);
  if (fence === undefined) throw notInstalled(connection);
  const shapes = await shapesOf(connection, step, context);
  const apart = await readApart(connection, true);
  const inventory = putBack(await readInventory(connection), apart);
  requirePinned(context.request.pinned, inventory.tables);
  const request = { ...context.request, targets: [step.collection] };
  const facts = await readPlanFacts(connection, inventory, request, apart);
  const planned = decidePurge(inventory, request, facts);
  if (planned.refusals.length > 0) {
    throw new StoreError('Conflict', `${step.collection} may not be purged any more: ${planned.refusals.map((refusal) => `${refusal.reason}: ${refusal.message}`).join(' ')}`);
  }
  const now = planned.steps.find((candidate) => candidate.collection === step.collection);
  if (now?.predicateDigest !== step.predicateDigest) {
    throw new StoreError('Conflict', `The rule of ${step.collection} is not the one that was planned and approved. Plan again.`);
  }
  const topology = topologyOf(inventory, facts.declared);
  const rule = context.request.rules.filter((candidate) => candidate.collection === step.collection);
  const targets = await resolveTargets(connection, topology, rule, fence.holds);
  // A column that took the name of another since the plan, or the holds, were compared is what their names were resolved to.
  requirePinned(context.request.pinned, await readNamed(connection, context.request.pinned ?? []));
  if (!isDeepStrictEqual(await readHolds(connection), fence.holds)) return compile(connection, step, context);
  return { holdsRevision: fence.holdsRevision, shapes, target: targetOf(targets, step.collection), resolver: targets.resolver };
}

async function shapesOf(connection: Connection, step: PurgeStep, context: PurgeContext): Promise<Shapes> {
  const rule = context.request.rules.find((candidate) => candidate.collection === step.collection);
  return rule === undefined ? new Map() : readShapes(connection, rule.table);
}

/** What the proof of every batch rests on. Both are on unless a superuser turned them off. */
async function requireCountersAndTriggers(connection: Connection): Promise<void> {
  const { rows } = await connection.query<{ track: string; replication: string }>(`SELECT current_setting('track_counts') AS track, current_setting('session_replication_role') AS replication`);
  if (rows[0]?.track !== 'on') throw new StoreError('Conflict', 'track_counts is off, so the server does not count what a cascade deletes. Turn it on before a purge.');
  if (rows[0].replication === 'replica') throw new StoreError('Conflict', 'session_replication_role is replica, so foreign keys are not enforced for this login. ALTER ROLE … RESET session_replication_role.');
}
