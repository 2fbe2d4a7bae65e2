import { expect, test } from '@jest/globals';
import { monthsText, readMonths } from '../../../src/cli/months.ts';
import { effectiveRules } from '../../../src/rules/effective.ts';
import type { Histogram } from '../../../src/stores/counting.ts';
import type { StoreReader } from '../../../src/stores/port.ts';
import { aCollection, aMaximum, aPolicy } from '../../support/declared.ts';

const NOW = '2026-03-01T10:30:00Z';
const histogram: Histogram = { months: [{ month: '2024-01', rows: 1_200 }, { month: '2024-02', rows: 30 }], indeterminate: 2, exact: true };
const reader = { histogram: (table: { name: string }, time: { path: { field: string } }) => Promise.resolve({ ...histogram, months: [{ month: `${table.name} ${time.path.field}`, rows: 1 }] }) } as unknown as StoreReader;

test('asks for the events of the maxima that one policy has for the collections of its plan', async () => {
  const effective = effectiveRules([aCollection(), aCollection({ id: 'shop/web/orders' })], [aPolicy('p0', { maximum: aMaximum('P1Y', { from: 'Closed' }) }), aPolicy('p1', { maximum: aMaximum('P2Y') })], NOW);
  const found = await readMonths(reader, effective, [aCollection().id], 'uid-p0', NOW);
  expect(found.map(({ collection, event, months }) => [collection, event, months[0]?.month])).toEqual([[aCollection().id, 'Closed', 'views closed_at']]);
});

test('shows a line a month, the fullest with the longest bar, and undated rows last', () => {
  expect(monthsText([{ collection: 'shop/web/views', event: 'Created', ...histogram }]).split('\n')).toEqual([
    'shop/web/views by Created',
    'MONTH     ROWS    ',
    `2024-01   1,200   ${'#'.repeat(40)}`,
    '2024-02   30      #',
    'undated   2       #',
    '',
  ]);
});

test('says when the time did not suffice', () => {
  expect(monthsText([{ collection: 'shop/web/views', event: 'Created', ...histogram, exact: false }])).toMatch(/^shop\/web\/views by Created, as far as the time allowed\n/);
});
