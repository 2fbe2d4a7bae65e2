import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { StoreConnections } from '../../../src/connect/stores.ts';
import { compareHeld, fingerprintHeld, fingerprintSame } from '../../../src/retention/run/held.ts';
import type { Predicate } from '../../../src/stores/predicate.ts';
import { aStore } from '../../support/declared.ts';
import { startPostgres } from '../../support/postgres.ts';
import type { TestPostgres } from '../../support/postgres.ts';
import { aPlan, aRun } from '../../unit/retention/run/declared-run.ts';
import { deletedBy, oneOf, openStore, purgeAll, request, rule, table } from '../stores/postgres/purge-support.ts';
import type { TestStore } from '../stores/postgres/purge-support.ts';

let server: TestPostgres;
const open: TestStore[] = [];
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(async () => {
  await Promise.all(open.map((store) => store.close()));
  await server.stop();
});

/** 40 rows a part, half of them of client-1, all due. */
const PARTITIONED = `
  CREATE TABLE views (id int, client text NOT NULL, created_at timestamptz NOT NULL) PARTITION BY RANGE (created_at);
  CREATE TABLE views_old PARTITION OF views FOR VALUES FROM ('2019-01-01Z') TO ('2020-01-01Z');
  CREATE TABLE views_new PARTITION OF views FOR VALUES FROM ('2020-01-01Z') TO ('2021-01-01Z');
  INSERT INTO views SELECT i, 'client-' || i % 2, timestamptz '2019-06-01Z' + (i % 4 / 2) * interval '1 year' FROM generate_series(1, 80) i`;
/** The child alone says whose a row is; 40 rows in each, half of the child's of client-1. */
const INHERITED = `
  CREATE TABLE views (id int, created_at timestamptz NOT NULL);
  CREATE TABLE views_child (client text NOT NULL) INHERITS (views);
  INSERT INTO views SELECT i, '2019-06-01Z' FROM generate_series(1, 40) i;
  INSERT INTO views_child SELECT i, '2019-06-01Z', 'client-' || i % 2 FROM generate_series(1, 40) i`;

const VIEWS = 'views';
const rules = request([rule(VIEWS)]);
const run = aRun({ plan: aPlan({ steps: [{ ...aPlan().steps[0]!, collection: VIEWS }] }) });

async function storeWith(schema: string, held: string, predicate: Predicate): Promise<{ store: TestStore; connections: StoreConnections }> {
  const store = await openStore(server, `held_${open.length}`, schema);
  open.push(store);
  await store.writer.putHold({ uid: 'h', name: 'legal/h', revision: 1, items: [{ table: table(held), predicate }] });
  return { store, connections: { reader: () => store.another() } as unknown as StoreConnections };
}

const client1 = oneOf('client', 'client-1');

describe('the rows a hold covers in the collections of a run', () => {
  test.each<[string, string, string, number, number]>([
    ['that names the table, whose rows are in partitions', PARTITIONED, 'views', 40, 40],
    ['that names one partition, and so protects in all of them', PARTITIONED, 'views_old', 40, 40],
    ['that names an inheritance child, by a column which the parent lacks', INHERITED, 'views_child', 60, 20],
  ])('are watched when they are those of one %s', async (_which, schema, held, rows, deleted) => {
    const { store, connections } = await storeWith(schema, held, client1);
    const before = await fingerprintHeld(run, aStore(), rules, connections, AbortSignal.timeout(30_000));
    expect(before).toEqual([{ collection: VIEWS, rows, sum: expect.any(String), holds: ['h'] }]);
    expect(deletedBy((await purgeAll(store, rules)).batches)).toEqual({ [VIEWS]: deleted });
    expect(compareHeld(before, await fingerprintSame(before, rules, store.writer))).toEqual({ unchanged: true });
    await store.sql(`DELETE FROM ${held} WHERE id = (SELECT min(id) FROM ${held} WHERE client = 'client-1')`);
    expect(compareHeld(before, await fingerprintSame(before, rules, store.writer))).toEqual({ unchanged: false, missing: `${VIEWS}: 1 of ${rows} held rows are gone` });
  });

  test.each<[string, string, string, object]>([
    ['stay watched when the partition a hold names gets another name', 'views_old', 'ALTER TABLE views_old RENAME TO views_2019', { unchanged: true }],
    ['are not known to be the same when the partition a hold names is detached', 'views_old', 'ALTER TABLE views DETACH PARTITION views_old', {}],
    ['are missing from the table a hold names when a partition of it is detached', 'views', 'ALTER TABLE views DETACH PARTITION views_old', { unchanged: false, missing: `${VIEWS}: 20 of 40 held rows are gone` }],
  ])('%s', async (_how, held, change, expected) => {
    const { store, connections } = await storeWith(PARTITIONED, held, client1);
    const before = await fingerprintHeld(run, aStore(), rules, connections, AbortSignal.timeout(30_000));
    await store.sql(change);
    expect(compareHeld(before, await fingerprintSame(before, rules, store.writer))).toEqual(expected);
  });
});
