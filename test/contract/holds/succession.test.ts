import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { DataStore } from '../../../src/api/generated/dataStore.ts';
import type { LegalHold } from '../../../src/api/generated/legalHold.ts';
import { DATA_STORE, LEGAL_HOLD } from '../../../src/api/kinds.ts';
import type { StoreFacts } from '../../../src/connect/facts.ts';
import type { StoreConnections } from '../../../src/connect/stores.ts';
import { createLegalHoldReconcile } from '../../../src/holds/reconcile.ts';
import { StoreError } from '../../../src/stores/errors.ts';
import { aHold, aMap, aStore } from '../../support/declared.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { memoryAudit } from '../../support/memory-audit.ts';
import { memoryClient, type MemoryClient } from '../../support/memory-client.ts';
import { startPostgres, type TestPostgres } from '../../support/postgres.ts';
import { countRows, openStore, purgeAll, request, rule, type TestStore } from '../stores/postgres/purge-support.ts';

const STORES = ['hold_one', 'hold_two'] as const;
const NAMES = ['one', 'two'] as const;
const schema = `CREATE TABLE views (id bigint PRIMARY KEY, client text, created_at timestamptz);
  INSERT INTO views SELECT i, 'client-' || (i % 2), '2020-01-01Z' FROM generate_series(1, 100) i`;
const ref = (name: string): { namespace: string; name: string } => ({ namespace: 'platform-db', name });

let server: TestPostgres;
let stores: TestStore[];
let client: MemoryClient;
const cut = new Set<string>();
let purges = 0;

beforeAll(async () => {
  server = await startPostgres();
  stores = [await openStore(server, STORES[0], schema), await openStore(server, STORES[1], schema)];
});
afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()));
  await server.stop();
});

function reconcileOf(objects: MemoryClient): ReturnType<typeof createLegalHoldReconcile> {
  const writer: StoreConnections['writer'] = async (store) => {
    if (cut.has(store.metadata.name)) throw new StoreError('Unreachable', 'no answer');
    return (stores[NAMES.indexOf(store.metadata.name as 'one')] as TestStore).another();
  };
  return createLegalHoldReconcile({
    client: objects,
    audit: memoryAudit(),
    clock: createFakeClock(),
    declarations: {
      read: async () => ({
        maps: NAMES.map((name) => aMap([{ client: { field: 'client' } }], { storeRef: { name } }, { name: `web-${name}` })),
        policies: [],
        holds: await objects.list<LegalHold>(LEGAL_HOLD),
        namespaces: new Map([['platform-db', {}]]),
        rootNamespace: 'dataward-system',
      }),
    },
    connections: { writer } as StoreConnections,
    facts: { remember: () => {} } as unknown as StoreFacts,
    rootNamespace: 'dataward-system',
    actor: 'dataward',
    owner: 'cluster-a',
    barrier: { wrote: () => {}, passed: async () => true },
    events: { event: () => {}, flush: async () => {}, stop: async () => {} },
  });
}

/** Looks at a hold, then purges what is due in both stores: rows that were free for a moment would be gone. */
async function look(name: string): Promise<void> {
  await reconcileOf(client)(ref(name), { signal: new AbortController().signal });
  for (const store of stores) await purgeAll(store, request([rule('views')]), { run: `run-${(purges += 1)}` });
}

const rows = (): Promise<number[]> => Promise.all(stores.map((store) => countRows(store, 'views')));
const read = (name: string): LegalHold => client.read<LegalHold>(LEGAL_HOLD, ref(name)) as LegalHold;

describe('a hold on everything that is narrowed to one client', () => {
  beforeAll(() => {
    client = memoryClient([...NAMES.map((name) => [DATA_STORE, aStore({}, { name, uid: `uid-${name}` }) as DataStore] as const), [LEGAL_HOLD, aHold([{}], {}, { name: 'old', uid: 'uid-old' })]]);
  });

  test('keeps every row', async () => {
    await look('old');
    expect([read('old').status?.state, await rows()]).toEqual(['Active', [100, 100]]);
  });

  test('keeps every row after two people released it, while its successor misses one store', async () => {
    cut.add('two');
    client.put(LEGAL_HOLD, aHold([{ clients: { keys: ['client-1'] } }], { supersedes: 'old' }, { name: 'new', uid: 'uid-new' }));
    await look('new');
    const old = read('old');
    client.put(LEGAL_HOLD, { ...old, metadata: { ...old.metadata, generation: 2 }, spec: { ...old.spec, release: { request: { by: 'anna', reason: 'narrowed' }, approval: { by: 'ben' } } } });
    for (const name of ['old', 'new', 'old']) await look(name);
    expect([read('old').status?.state, read('new').status?.state, await rows()]).toEqual(['Pending', 'Pending', [100, 100]]);
  });

  test('lets go what only it held once its successor stands in both, and not one row more', async () => {
    cut.clear();
    await look('old');
    expect(await rows()).toEqual([100, 100]);
    for (const name of ['new', 'old']) await look(name);
    expect([read('old').status?.state, await rows()]).toEqual(['Released', [50, 50]]);
    for (const store of stores) {
      expect(await store.sql('SELECT DISTINCT client FROM views')).toEqual([{ client: 'client-1' }]);
      expect((await store.writer.fence())?.holds.map((hold) => hold.uid)).toEqual(['uid-new']);
    }
  });
});
