import { describe, expect, test } from '@jest/globals';
import { DATA_STORE, PURGE_RUN } from '../../../src/api/kinds.ts';
import type { RetentionPolicy } from '../../../src/api/generated/retentionPolicy.ts';
import { observePolicy, type PolicyObservation } from '../../../src/retention/observe.ts';
import { StoreError } from '../../../src/stores/errors.ts';
import { aMap, aMaximum, aMinimum, anInventory, aPolicy, aStore, aTable } from '../../support/declared.ts';
import { memoryClient } from '../../support/memory-client.ts';
import { aRun } from './run/declared-run.ts';

const time = (field: string) => [{ event: 'Created' as const, field }];
const collections = [
  { name: 'views', table: { schema: 'public', name: 'views' }, times: time('at') },
  { name: 'orders', table: { schema: 'public', name: 'orders' }, categories: ['user.financial' as const], times: time('at') },
  { name: 'clicks', table: { schema: 'public', name: 'clicks' }, times: [] },
];
const inventory = anInventory(['views', 'orders', 'clicks'].map((name) => aTable(name, ['id', 'at'])));
const behaviour = aPolicy('behaviour', { maximum: aMaximum('P1Y') });
const books = aPolicy('books', { minimum: aMinimum('P8Y'), collections: { categories: ['user.financial'] } });
const strict = aPolicy('strict', { maximum: aMaximum('P1M') });
const byKind = aPolicy('by-kind', { maximum: aMaximum('P1Y'), rows: { where: [{ field: 'kind', operator: 'Exists' }] } });

/** Looks at `policy` beside others; asks of inventories are noted with the age that is allowed. */
async function look(policy: RetentionPolicy, others: RetentionPolicy[] = [], down = false): Promise<PolicyObservation & { ages: number[] }> {
  const stores = [aStore(), aStore({}, { name: 'other', uid: 'uid-other', labels: { tier: 'gold' } })];
  const runs = [aRun(), { ...aRun({}, undefined, 'of-another'), metadata: { ...aRun({}, undefined, 'of-another').metadata, labels: { 'dataward.io/policy-uid': 'uid-x' } } }];
  const client = memoryClient([...stores.map((store) => [DATA_STORE, store] as const), ...runs.map((run) => [PURGE_RUN, run] as const)]);
  const ages: number[] = [];
  const facts = {
    inventory: async (_store: unknown, maxAgeMs: number) => {
      ages.push(maxAgeMs);
      if (down) throw new StoreError('Unreachable', 'no answer');
      return inventory;
    },
    remember: () => {},
    forget: () => {},
  };
  const declared = { maps: [aMap(collections)], policies: [policy, ...others], holds: [], namespaces: new Map([['platform-db', {}]]), rootNamespace: 'dataward-system' };
  return { ...(await observePolicy(policy, declared, { client, facts, now: '2026-03-01T00:00:00Z' })), ages };
}

const seen = ({ views }: PolicyObservation): unknown => views.map(({ store, effective }) => [store.metadata.name, effective.map(({ collection }) => collection.name)]);
const only = (policy: RetentionPolicy): RetentionPolicy => ({ ...policy, spec: { ...policy.spec, stores: { names: ['analytics'] } } });

describe('what a policy means', () => {
  test.each<[string, RetentionPolicy, RetentionPolicy[], string[]]>([
    ['where it decides, and where its event is missing', behaviour, [books], ['views', 'clicks']],
    ['where it keeps rows only', books, [behaviour], ['orders']],
    ['where a stricter one decides', behaviour, [strict], ['views', 'clicks']],
    ['where a column is missing that its rows are told by', byKind, [behaviour], ['views', 'clicks']],
  ])('is seen in the collections it selects and in no other: %s', async (_, policy, others, names) => {
    expect(seen(await look(only(policy), others))).toEqual([['analytics', names]]);
  });

  test('is seen in the stores it covers and in no other', async () => {
    const gold = { ...behaviour, spec: { ...behaviour.spec, stores: { matchLabels: { tier: 'gold' } } } };
    // The map is of the other store.
    expect(seen(await look(gold))).toEqual([['other', []]]);
    expect((await look(behaviour)).views).toHaveLength(2);
  });

  test('is read from an inventory no older than the store allows, and nothing is known of a store that does not answer', async () => {
    expect((await look(only(behaviour))).ages).toEqual([900_000]);
    expect((await look(only(behaviour), [], true)).views).toMatchObject([{ effective: [], failure: { reason: 'Unreachable' } }]);
  });

  test('comes with the runs of the policy, and of no other', async () => {
    const general = aPolicy('general', { maximum: aMaximum('P1Y') });
    expect((await look(general)).runs.map(({ metadata }) => metadata.name)).toEqual(['general-1']);
  });
});
