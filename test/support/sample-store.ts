import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { startPostgres } from './postgres.ts';
import type { TestPostgres } from './postgres.ts';
import { ensureRoles } from './postgres-roles.ts';
import { sampleManifests } from './sample-manifests.ts';

export interface SampleOptions {
  /** The moment all rows count back from. */
  readonly now: Date;
  /** Each has three page views; 40 % of them are older than 25 months. */
  readonly sessions: number;
  /** Least time of a batch, by triggers in the store. */
  readonly slowBatchMillis?: number;
  /** Without the hold when false. */
  readonly hold?: boolean;
  /** Without the verifying identity when false. */
  readonly verify?: boolean;
}

/**
 * A small database whose every personal value is unmistakable, so that a leak of one is seen wherever it turns up,
 * with counts worked out by SQL of its own, so that dataward is not measured by its own ruler.
 */
export interface SampleStore {
  readonly postgres: TestPostgres;
  /** Folder with one manifest a file, as a person would apply them. */
  readonly manifests: string;
  query<Row extends Record<string, unknown>>(sql: string): Promise<Row[]>;
  /** Rows by table now. */
  counts(): Promise<Record<string, number>>;
  /** Rows a purge under the policy and the hold has to delete, by table. */
  due(): Promise<{ page_views: number; sessions: number }>;
  /** What must be there afterwards, byte for byte: rows and checksum by table. */
  kept(): Promise<Record<string, unknown>>;
  /** Rows by the store's own journal. */
  journalled(): Promise<Record<string, number>>;
  /** Ends what `slowBatchMillis` began: batches were slow to be met under way, and the rest may be fast. */
  hurry(): Promise<void>;
  /** Values that must not leave the database. */
  identifiers(): Promise<string[]>;
  stop(): Promise<void>;
}

const DATABASE = 'sample';
const TABLES = ['visitors', 'sessions', 'page_views', 'uploads'];

/** Starts a server with the sample in it. */
export async function startSampleStore(options: SampleOptions): Promise<SampleStore> {
  const postgres = await startPostgres();
  const query = <Row extends Record<string, unknown>>(sql: string): Promise<Row[]> => postgres.ask(sql, undefined, DATABASE);
  await postgres.createDatabase(DATABASE);
  await query(schema(options));
  await query('VACUUM ANALYZE');
  const roles = await ensureRoles(postgres, DATABASE, { statistics: true });
  const dates = holdDates(options.now);
  const hold = options.hold === false ? undefined : dates;
  const manifests = await mkdtemp(join(tmpdir(), 'dataward-sample-'));
  const objects = sampleManifests({ postgres, roles, database: DATABASE, hold, triggers: options.slowBatchMillis !== undefined, verify: options.verify !== false });
  for (const [index, object] of objects.entries()) await writeFile(join(manifests, `${String(index).padStart(2, '0')}-${object.kind?.toLowerCase()}-${object.metadata.name}.yaml`), stringify(object), { mode: 0o600 });
  const due = rules(hold);
  const counted = async (sql: string): Promise<Record<string, number>> => Object.fromEntries((await query<{ name: string; n: string }>(sql)).map((row) => [row.name, Number(row.n)]));
  return {
    postgres,
    manifests,
    query,
    counts: () => counted(TABLES.map((name) => `SELECT '${name}' AS name, count(*) AS n FROM ${name}`).join(' UNION ALL ')),
    due: async () => (await counted(Object.entries(due).map(([name, rule]) => `SELECT '${name}' AS name, count(*) AS n FROM ${name} t WHERE ${rule}`).join(' UNION ALL '))) as { page_views: number; sessions: number },
    async kept() {
      const rest: Record<string, string> = { ...due, visitors: 'false', uploads: 'false' };
      const sums = Object.entries(rest).map(([name, rule]) => `SELECT '${name}' AS name, count(*)::int AS rows, md5(string_agg(t::text, chr(10) ORDER BY t.id)) AS sum FROM ${name} t WHERE NOT (${rule})`);
      const rows = await query<{ name: string; rows: number; sum: string }>(sums.join(' UNION ALL '));
      return Object.fromEntries(rows.map(({ name, ...seen }) => [name, seen]));
    },
    journalled: () => counted('SELECT table_name AS name, sum(deleted) AS n FROM dataward.journal GROUP BY table_name'),
    hurry: async () => void (await query('CREATE OR REPLACE FUNCTION slow_down() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$')),
    identifiers: async () => (await query<{ value: string }>(IDENTIFIERS)).map((row) => row.value),
    async stop() {
      await postgres.stop('immediate');
      await rm(manifests, { recursive: true, force: true });
    },
  };
}

/** Rows of all tables together. */
export function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, rows) => total + rows, 0);
}

/** First days of months, 30 and 28 months before now: inside what the policy would delete. */
export function holdDates(now: Date): { from: string; to: string } {
  const monthsFromNow = (months: number): string => new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + months, 1)).toISOString().slice(0, 10);
  return { from: monthsFromNow(-30), to: monthsFromNow(-28) };
}

/** The rules of the sample as SQL over a table `t`. No row lies near a boundary, so zones and the time of day play no part. */
function rules(hold: { from: string; to: string } | undefined): { page_views: string; sessions: string } {
  const old = (column: string): string => `${column} < current_date - interval '25 months'`;
  const view = (alias: string): string =>
    `(${old(`${alias}.viewed_at`)}${hold ? ` AND NOT (${alias}.client_id = 'client-a' AND ${alias}.viewed_at >= '${hold.from}' AND ${alias}.viewed_at < '${hold.to}')` : ''})`;
  return { page_views: view('t'), sessions: `${old('t.started_at')} AND NOT EXISTS (SELECT FROM page_views child WHERE child.session_id = t.id AND NOT ${view('child')})` };
}

const IDENTIFIERS = `
  SELECT id AS value FROM visitors UNION SELECT email FROM visitors UNION SELECT host(last_ip) FROM visitors
  UNION SELECT user_agent FROM sessions UNION SELECT path FROM page_views UNION SELECT e_mail FROM uploads`;

function schema({ now, sessions, slowBatchMillis = 0 }: SampleOptions): string {
  const at = `timestamptz '${now.toISOString()}'`;
  const seed = createHash('sha256').update(String(sessions)).digest('hex').slice(0, 4);
  return `
    CREATE TABLE visitors (id text PRIMARY KEY, client_id text NOT NULL, email text NOT NULL, last_ip inet NOT NULL, created_at timestamptz NOT NULL);
    INSERT INTO visitors SELECT 'vis-${seed}-' || substr(md5('v' || v), 1, 12), 'client-' || (ARRAY['a', 'b', 'c'])[v % 3 + 1],
      'reader' || v || '@mail.example', '203.0.113.0'::inet + v % 250 + 1, ${at} - interval '5 years' FROM generate_series(0, 299) v;
    CREATE TABLE sessions (id bigint PRIMARY KEY, client_id text NOT NULL, visitor_id text NOT NULL REFERENCES visitors, started_at timestamptz NOT NULL, user_agent text NOT NULL, filler text NOT NULL);
    INSERT INTO sessions SELECT s, v.client_id, v.id,
      CASE WHEN s <= 0.4 * ${sessions} THEN ${at} - interval '36 months' + s / (0.4 * ${sessions}) * interval '10 months' + interval '10 days'
           ELSE ${at} - interval '24 months' + (s - 0.4 * ${sessions}) / (0.6 * ${sessions}) * interval '23 months' END,
      'Browser/7.' || s % 40 || ' (sample)', repeat('x', 150)
      FROM generate_series(1, ${sessions}) s JOIN visitors v ON v.email = 'reader' || (s * 7) % 300 || '@mail.example';
    DELETE FROM sessions WHERE EXISTS (SELECT FROM unnest(ARRAY[date_trunc('month', ${at} - interval '30 months'), date_trunc('month', ${at} - interval '28 months')]) b WHERE abs(extract(epoch FROM started_at - b)) < 172800);
    CREATE TABLE page_views (id bigint PRIMARY KEY, session_id bigint NOT NULL REFERENCES sessions, client_id text NOT NULL, visitor_id text NOT NULL, viewed_at timestamptz NOT NULL, path text NOT NULL, filler text NOT NULL);
    INSERT INTO page_views SELECT s.id * 3 + n, s.id, s.client_id, s.visitor_id, s.started_at + n * interval '10 seconds', '/read/' || s.visitor_id, repeat('y', 150) FROM sessions s, generate_series(0, 2) n;
    CREATE INDEX ON page_views (session_id);
    CREATE TABLE uploads (id bigint PRIMARY KEY, e_mail text NOT NULL);
    INSERT INTO uploads SELECT n, 'upload' || n || '@list.example' FROM generate_series(1, 50) n;
    ${slowBatchMillis === 0 ? '' : slowTriggers(slowBatchMillis)}`;
}

/** Makes every batch take at least so long, so that a test can meet it under way. */
function slowTriggers(millis: number): string {
  return `
    CREATE FUNCTION slow_down() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$ BEGIN PERFORM pg_sleep(${millis / 1000}); RETURN NULL; END $$;
    CREATE TRIGGER slow AFTER DELETE ON page_views FOR EACH STATEMENT EXECUTE FUNCTION slow_down();
    CREATE TRIGGER slow AFTER DELETE ON sessions FOR EACH STATEMENT EXECUTE FUNCTION slow_down();`;
}
