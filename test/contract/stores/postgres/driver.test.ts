import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Credential } from '../../../../src/stores/port.ts';
import { createPostgresDriver } from '../../../../src/stores/postgres/driver.ts';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { createReader, targetOf } from './support.ts';

describe('the PostgreSQL driver', () => {
  let server: TestPostgres;
  let observer: Credential;
  let enforcer: Credential;
  const driver = createPostgresDriver();
  const sessions = async (): Promise<number> => Number((await server.query<{ n: string }>(`SELECT count(*) AS n FROM pg_stat_activity WHERE application_name LIKE 'dataward/%'`))[0]?.n);

  beforeAll(async () => {
    server = await startPostgres();
    const { user, password } = await createReader(server, 'observer');
    observer = { type: 'password', username: user, password };
    enforcer = { type: 'password', username: server.superuser.user, password: server.superuser.password };
    await server.query(`CREATE TABLE views (id int PRIMARY KEY, at timestamptz); INSERT INTO views SELECT n, '2020-01-01' FROM generate_series(1, 100) n`);
  });
  afterAll(() => server.stop());

  test('answers calls made at the same time, each as if it were alone', async () => {
    const reader = await driver.openReader(targetOf(server), observer, { purpose: 'observe' });
    const everything = { op: 'true' as const };
    const rule = { collection: 'm/views', table: { schema: 'public', name: 'views' }, due: everything, guards: [], times: [], acknowledged: [] };
    const [identity, inventory, count, print, again, fence, approved, clock] = await Promise.all([
      reader.identity(),
      reader.inventory(),
      reader.count({ rules: [rule], now: '2025-01-01T00:00:00Z', budgetMs: 5_000 }),
      reader.fingerprint(rule.table, everything),
      reader.fingerprint(rule.table, everything),
      reader.fence(),
      reader.approvedRules('no-such-policy'),
      reader.clock(),
    ]);
    await reader.close();
    expect(identity.server).toContain('PostgreSQL');
    expect(inventory.tables.map((table) => table.name)).toEqual(['views']);
    expect(count).toMatchObject([{ due: 100, exact: true }]);
    expect(print).toEqual(again);
    expect(fence).toBeUndefined();
    expect(approved).toEqual([]);
    expect(Date.parse(clock)).not.toBeNaN();
  });

  test('one call that fails does not stop the next', async () => {
    const reader = await driver.openReader(targetOf(server), observer, { purpose: 'observe' });
    const [lost, found] = await Promise.allSettled([reader.fingerprint({ schema: 'public', name: 'gone' }, { op: 'true' }), reader.inventory()]);
    await reader.close();
    expect(lost).toMatchObject({ status: 'rejected', reason: { reason: 'NotFound' } });
    expect(found.status).toBe('fulfilled');
  });

  test('a reader sees what a writer installs', async () => {
    const reader = await driver.openReader(targetOf(server), observer, { purpose: 'verify' });
    const writer = await driver.openWriter(targetOf(server), enforcer, { purpose: 'enforce' });
    await writer.install({ owner: 'cluster-a', readers: ['observer'] });
    expect(await reader.fence()).toMatchObject({ owner: 'cluster-a', holds: [] });
    expect(await writer.fence()).toEqual(await reader.fence());
    await Promise.all([reader.close(), writer.close()]);
  });

  test('closing leaves no login behind, and closing twice is no error', async () => {
    const reader = await driver.openReader(targetOf(server), observer, { purpose: 'observe' });
    expect(await sessions()).toBe(1);
    await reader.close();
    await reader.close();
    for (let attempt = 0; (await sessions()) > 0; attempt += 1) expect(attempt).toBeLessThan(50);
    await expect(reader.clock()).rejects.toMatchObject({ reason: 'Unreachable' });
  });
});
