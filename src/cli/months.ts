import type { EffectiveCollection } from '../rules/effective.ts';
import type { Histogram } from '../stores/counting.ts';
import type { StoreReader } from '../stores/port.ts';
import { count, table } from './output.ts';

/** Wall time of one collection, in milliseconds. */
const BUDGET_MS = 30_000;
/** Characters. */
const BAR = 40;

/** Rows of one collection by the month in which their period started. */
export interface CollectionMonths extends Histogram {
  collection: string;
  event: string;
}

/**
 * Reads how the rows of collections lie in time, by the start event of each maximum a policy has for them.
 *
 * @param collections identifiers, namespace/map/name
 * @param now RFC 3339; later times are counted as undated
 */
export async function readMonths(reader: StoreReader, effective: readonly EffectiveCollection[], collections: readonly string[], policyUid: string, now: string): Promise<CollectionMonths[]> {
  const found: CollectionMonths[] = [];
  for (const { collection, maxima } of effective.filter((each) => collections.includes(each.collection.id))) {
    const events = new Map(maxima.filter(({ policy }) => policy.uid === policyUid).map(({ event, time }) => [event, time]));
    for (const [event, time] of events) {
      if (time) found.push({ collection: collection.id, event, ...(await reader.histogram(collection.table, time, { budgetMs: BUDGET_MS, now })) });
    }
  }
  return found;
}

/** One line a month; the longest bar is the fullest month of that collection. */
export function monthsText(found: readonly CollectionMonths[]): string {
  return found
    .map(({ collection, event, months, indeterminate, exact }) => {
      const lines = [...months, ...(indeterminate === 0 ? [] : [{ month: 'undated', rows: indeterminate }])];
      const most = Math.max(1, ...lines.map(({ rows }) => rows));
      const rows = lines.map((line) => [line.month, count(line.rows), '#'.repeat(Math.ceil((line.rows / most) * BAR))]);
      return `${collection} by ${event}${exact ? '' : ', as far as the time allowed'}\n${table(['month', 'rows', ''], rows)}`;
    })
    .join('\n');
}
