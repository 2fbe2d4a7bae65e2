import { Temporal } from 'temporal-polyfill';
import type { Maximum, Minimum, RetentionPolicy, RetentionPolicySpec } from '../../../src/api/generated/retentionPolicy.ts';
import type { MappedCollection } from '../../../src/rules/collections.ts';
import { periodEnd, type RoundUp } from '../../../src/rules/cutoff.ts';
import { parsePeriod } from '../../../src/rules/period.ts';
import { aCollection, aMaximum, aMinimum, aPolicy, aTime } from '../../support/declared.ts';
import type { Row } from './truth.ts';
import { fc } from '../../support/properties.ts';

/** Random policies, collections and rows, and the retention algebra said once more, row by row and without predicates. */

export const NOW = '2026-03-01T10:30:00Z';

/** `Paid` is an event no collection here declares, `kind` a column none has. */
const event = fc.constantFrom('Created', 'Created', 'Closed', 'Paid');
const period = fc.constantFrom('P1M', 'P30D', 'P6M', 'P1Y', 'P2Y', 'P24M');
const rounding = fc.constantFrom<RoundUp>('None', 'None', 'EndOfMonth', 'EndOfYear');
const maximum = fc.record({ period, from: event, roundUp: rounding }).map(({ period: length, ...rest }): Maximum => aMaximum(length, rest));
const minimum = fc.record({ period, from: event, roundUp: rounding }).map(({ period: length, ...rest }): Minimum => aMinimum(length, rest));
const clients = fc.constantFrom<RetentionPolicySpec['clients']>({ all: {} }, { all: {} }, { keys: ['a'] }, { keys: ['b', 'a'] });
const rows = fc.constantFrom<RetentionPolicySpec['rows']>(
  { all: {} },
  { all: {} },
  { where: [{ field: 'status', operator: 'In', values: ['closed'] }] },
  { where: [{ field: 'status', operator: 'NotIn', values: ['open'] }] },
  { where: [{ field: 'status', operator: 'Exists' }] },
  { where: [{ field: 'status', operator: 'DoesNotExist' }] },
  { where: [{ field: 'kind', operator: 'Exists' }] },
);
const collections = fc.constantFrom<RetentionPolicySpec['collections']>({ categories: ['user.behavior'] }, { names: ['views'] }, { categories: ['user.contact'] }, { subjects: ['employee'] });

const rule = fc
  .record({ maximum: fc.option(maximum, { nil: undefined }), minimum: fc.option(minimum, { nil: undefined, freq: 2 }) })
  .filter((parts) => parts.maximum !== undefined || parts.minimum !== undefined)
  .map(({ maximum: most, minimum: least }) => ({ ...(most ? { maximum: most } : {}), ...(least ? { minimum: least } : {}) }));

export const spec = fc.record({ rule, clients, rows, collections, timeZone: fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York') }).map(({ rule: parts, ...rest }): Partial<RetentionPolicySpec> => ({ ...rest, ...parts }));

export const policies = fc.array(spec, { minLength: 1, maxLength: 5 }).map((specs): RetentionPolicy[] => specs.map((each, index) => aPolicy(`p${index}`, each)));

/** A client key in a column, none, or one for the whole table; `user.contact` only as a category of a field. */
export const collection = fc.record({ key: fc.constantFrom('column', 'column', 'a', 'c', 'none'), fields: fc.boolean(), plausibleFrom: fc.boolean() }).map(({ key, fields, plausibleFrom }): MappedCollection => {
  const { client: _client, ...rest } = aCollection({
    fieldCategories: fields ? ['user.contact.email'] : [],
    times: { Created: aTime('created_at', plausibleFrom ? { plausibleFrom: '2005-01-01' } : {}), Closed: aTime('closed_at') },
  });
  if (key === 'none') return rest;
  return { ...rest, client: key === 'column' ? { path: { via: [], field: 'client' } } : { value: key } };
});

const time = fc.oneof(
  { weight: 8, arbitrary: fc.date({ min: new Date('2022-12-01T00:00:00Z'), max: new Date('2026-03-10T00:00:00Z'), noInvalidDate: true }).map((date) => date.toISOString()) },
  { weight: 2, arbitrary: fc.constantFrom(null, 'infinity', '-infinity', '2999-01-01T00:00:00Z', '1970-01-01T00:00:00Z') },
);

export const row = fc.record({
  created_at: time,
  closed_at: time,
  client: fc.constantFrom('a', 'b', 'c', null),
  status: fc.constantFrom('open', 'closed', null),
});

type Truth = boolean | null;

/** Whether the algebra lets a row go, and which of its two halves speaks. */
export function judge(item: Row, of: MappedCollection, all: readonly RetentionPolicy[], now: string, onlyMaximaOf?: string): { due: boolean; kept: boolean } {
  const inReach = all.filter((policy) => selects(policy, of, of.categories));
  const own = new Set(inReach.flatMap((policy) => (policy.spec.maximum ? (policy.spec.clients.keys ?? []) : [])));
  const due = inReach.some(({ metadata, spec: words }) => {
    if (!words.maximum || (onlyMaximaOf !== undefined && metadata.uid !== onlyMaximaOf)) return false;
    const client = clientOf(item, of);
    const speaksOfClient = words.clients.keys ? client !== null && words.clients.keys.includes(client) : own.size === 0 || (client !== null && !own.has(client));
    return speaksOfClient && matches(words.rows, item, of) === true && isOver(words.maximum, words.timeZone, item, of, now) === true;
  });
  const kept = all
    .filter((policy) => selects(policy, of, [...of.categories, ...of.fieldCategories]))
    .some(({ spec: words }) => {
      if (!words.minimum) return false;
      const expressible = of.times[words.minimum.from] !== undefined && (words.rows.where ?? []).every((condition) => of.columns.includes(condition.field));
      if (!expressible) return true;
      const client = clientOf(item, of);
      const surelyOtherClient = words.clients.keys !== undefined && client !== null && !words.clients.keys.includes(client);
      return !surelyOtherClient && matches(words.rows, item, of) !== false && isOver(words.minimum, words.timeZone, item, of, now) !== true;
    });
  return { due, kept };
}

function selects(policy: RetentionPolicy, of: MappedCollection, categories: readonly string[]): boolean {
  const { names, subjects, categories: wanted = [] } = policy.spec.collections;
  if (names) return names.includes(of.name);
  if (subjects) return subjects.some((subject) => of.subjects.includes(subject));
  return wanted.some((category) => categories.some((own) => `${own}.`.startsWith(`${category}.`)));
}

function clientOf(item: Row, of: MappedCollection): string | null {
  if (!of.client) return null;
  return 'value' in of.client ? of.client.value : (item[of.client.path.field] ?? null);
}

function matches(words: RetentionPolicySpec['rows'], item: Row, of: MappedCollection): Truth {
  const answers = (words.where ?? []).map((condition): Truth => {
    if (!of.columns.includes(condition.field)) return null;
    const held = item[condition.field] ?? null;
    if (condition.operator === 'Exists') return held !== null;
    if (condition.operator === 'DoesNotExist') return held === null;
    return held === null ? null : (condition.values ?? []).includes(held) === (condition.operator === 'In');
  });
  if (answers.includes(false)) return false;
  return answers.includes(null) ? null : true;
}

/** Whether the period of a row is over; null where its start says nothing. */
function isOver(words: Maximum | Minimum, timeZone: string, item: Row, of: MappedCollection, now: string): Truth {
  const field = of.times[words.from];
  const start = field && item[field.path.field];
  if (!field || !start || start.includes('infinity') || Date.parse(start) > Date.parse(now)) return null;
  if (field.plausibleFrom && start < field.plausibleFrom) return null;
  const localDate = (instant: string): Temporal.PlainDate => Temporal.Instant.from(instant).toZonedDateTimeISO(timeZone).toPlainDate();
  return Temporal.PlainDate.compare(periodEnd(localDate(start), parsePeriod(words.period), words.roundUp), localDate(now)) < 0;
}
