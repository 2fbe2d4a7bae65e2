import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { demoManifests, holdDates, type ManifestValues } from '../../examples/demo/manifests.ts';
import { loadDataset } from '../../examples/demo/load.ts';
import { startPostgres, type TestPostgres } from './postgres.ts';
import { ensureRoles } from './postgres-roles.ts';

/** A real PostgreSQL with the demo's data, and the manifests that declare it, filled in. */
export interface DemoStore {
  postgres: TestPostgres;
  database: string;
  values: ManifestValues;
  /** Folder with the manifests, one file each as in `examples/`. */
  manifests: string;
  query<Row extends Record<string, unknown>>(sql: string): Promise<Row[]>;
  stop(): Promise<void>;
}

export async function startDemoStore(now: Date, options: { enforceOwnsTables?: boolean } = {}): Promise<DemoStore> {
  const postgres = await startPostgres();
  const database = 'analytics';
  await postgres.createDatabase(database);
  await loadDataset((sql) => postgres.query(sql, undefined, database), now);
  await postgres.query('VACUUM ANALYZE', undefined, database);
  const roles = await ensureRoles(postgres, database, { statistics: true, enforceOwnsTables: options.enforceOwnsTables ?? true });
  const values: ManifestValues = {
    host: postgres.host,
    port: postgres.port,
    database,
    serverName: postgres.serverName,
    caPem: postgres.caPem,
    observeUser: roles.observe.user,
    observePassword: roles.observe.password,
    enforceUser: roles.enforce.user,
    enforcePassword: roles.enforce.password,
    verifyUser: roles.verify.user,
    verifyPassword: roles.verify.password,
    ...holdDates(now),
  };
  const manifests = await mkdtemp(path.join(tmpdir(), 'dataward-manifests-'));
  for (const [name, text] of await demoManifests(values)) await writeFile(path.join(manifests, name), text, { mode: 0o600 });
  return {
    postgres,
    database,
    values,
    manifests,
    query: (sql) => postgres.query(sql, undefined, database),
    async stop() {
      await postgres.stop('immediate');
      await rm(manifests, { recursive: true, force: true });
    },
  };
}
