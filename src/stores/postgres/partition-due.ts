import type { CollectionRule } from '../counting.ts';
import type { Predicate } from '../predicate.ts';
import { boundsProveDue } from './bounds.ts';
import type { Connection } from './connection.ts';
import { lookForDrop } from './drop-look.ts';
import { sqlState } from './errors.ts';
import { keysetColumn } from './facts.ts';
import type { PartitionState } from './partition-catalogue.ts';
import type { ResolvedTable } from './sql.ts';
import { countForDrop } from './statements.ts';
import type { Deletable, Statement } from './statements.ts';
import type { Compiled, StepWork } from './work.ts';

/** Counting a partition may take long; the fence is taken after it, so that no hold waits for it. Milliseconds. */
export const COUNT_TIMEOUT_MS = 600_000;
/** A larger one is counted before it is detached, since nobody reads its rows while they are counted again under the lock. Bytes. */
const UNCOUNTED_BYTES = 8 * 1024 ** 3;
/** By how much the statistics may be wrong before a limit would be passed; else the application loses sight of rows that then stay. */
const ESTIMATE_MARGIN = 1.5;

/**
 * Those of a table's partitions into which nothing can be inserted any more that is not due, by their catalogue identity:
 * their key is the time the rule starts from, and their upper bound is not after the cutoff. A partition of another key (a
 * client, a hash) is still needed when all of its present rows are due.
 */
export async function closedPartitions(connection: Connection, partitions: readonly PartitionState[], rule: Pick<CollectionRule, 'due'>): Promise<ReadonlySet<string>> {
  const due = firstBefore(rule.due);
  const bounded = partitions.flatMap(({ oid, bounds, rangeColumn }) => {
    const upper = /^FOR VALUES FROM \(.*\) TO \('?([^'()]+)'?\)$/.exec(bounds)?.[1];
    return upper === undefined || upper === 'MAXVALUE' || rangeColumn === undefined || rangeColumn !== keysetColumn(rule) ? [] : [{ oid, upper }];
  });
  if (due === undefined || bounded.length === 0) return new Set();
  const [condition, ...values] = boundBefore(due);
  const { rows } = await connection.query<{ oid: string }>(
    `SELECT oid FROM unnest($1::text[], $2::text[]) AS u(oid, bound) WHERE ${condition}`,
    [bounded.map(({ oid }) => oid), bounded.map(({ upper }) => upper), ...values],
  );
  return new Set(rows.map(({ oid }) => oid));
}

/** SQL of whether `bound`, as the catalogue writes it, is not after the cutoff, and its values from `$3` on. */
function boundBefore({ time, cutoff }: Extract<Predicate, { op: 'before' }>): [string, ...string[]] {
  switch (time.type) {
    case 'TimestampTZ':
      return ['bound::timestamptz <= $3::timestamptz', cutoff.instant];
    case 'Timestamp':
      return ['(bound::timestamp AT TIME ZONE $4) <= $3::timestamptz', cutoff.instant, time.timeZone ?? 'UTC'];
    case 'Date':
      return ['bound::date <= $3::date', cutoff.localDate];
    case 'EpochSeconds':
      return ['bound::numeric <= $3::numeric', String(Date.parse(cutoff.instant) / 1000)];
    case 'EpochMillis':
      return ['bound::numeric <= $3::numeric', String(Date.parse(cutoff.instant))];
  }
}

function firstBefore(predicate: Predicate | undefined): Extract<Predicate, { op: 'before' }> | undefined {
  if (predicate?.op === 'before' && predicate.time.path.via.length === 0) return predicate;
  return predicate?.op === 'and' ? predicate.of.map(firstBefore).find((found) => found !== undefined) : undefined;
}

/**
 * Whether every row of a partition seems due now, and none is kept. It is no proof: under the lock the rows are counted
 * exactly. It is asked because a partition that is detached, and attached again for one row, is out of sight meanwhile.
 *
 * @param leaf the partition as it was when the conditions were compiled
 */
export async function seemsDue(connection: Connection, work: StepWork, compiled: Compiled, { partition, leaf }: { partition: PartitionState; leaf: ResolvedTable }): Promise<boolean> {
  const { what } = compiled.target;
  const within = partition.bytes <= UNCOUNTED_BYTES && work.allowance.covers((partition.estimatedRows ?? Number.POSITIVE_INFINITY) * ESTIMATE_MARGIN);
  const proven = boundsProveDue(partition, leaf.columns.get(partition.rangeColumn ?? '')?.type, what.due);
  // Where the number of rows matters they are counted; whose they are only under the lock.
  const statement = within ? lookForDrop(proven ? { ...what, due: { op: 'true' } } : what, leaf, compiled.resolver) : countForDrop(withoutClient(what), leaf, compiled.resolver);
  const found = await askPatiently(connection, statement);
  // An empty partition of the past costs nothing and may be waited for by a late import.
  return found !== undefined && Number(found.rows) > 0 && Number(found.kept) === 0 && work.allowance.covers(Number(found.rows));
}

function withoutClient({ client: _client, ...what }: Deletable): Deletable {
  return what;
}

/** Undefined: it takes too long, or the partition or a column of it is gone or has another name. Its rows go one by one then. */
async function askPatiently(connection: Connection, { text, values }: Statement): Promise<{ rows: string; kept: string } | undefined> {
  try {
    return await connection.transaction(async () => (await connection.query<{ rows: string; kept: string }>(text, values)).rows[0], `BEGIN READ ONLY; SET LOCAL statement_timeout = ${COUNT_TIMEOUT_MS}`);
  } catch (error) {
    if (['57014', '42P01', '42703'].includes(sqlState(error) ?? '')) return undefined;
    throw error;
  }
}
