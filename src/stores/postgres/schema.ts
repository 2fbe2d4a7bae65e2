/**
 * The `dataward` schema: the only thing in a store that is ours.
 *
 * `fence` has one row. Every destructive transaction reads it FOR SHARE and therefore holds ROW SHARE on the
 * table; whoever changes it (takeover, hold, freeze) first takes the table IN EXCLUSIVE MODE. The lock manager
 * queues fairly, so a change cannot be starved by two workers whose share locks overlap for ever, and when it
 * has its lock no batch is running that started under the old state.
 */
export const SCHEMA_VERSION = 1;

/** Advisory lock that serialises installations of one database. */
export const INSTALL_LOCK = 'pg_catalog.pg_advisory_xact_lock(1685353569, 1)';

/** Blocks until no destructive transaction is running; released at the end of the transaction. */
export const LOCK_FENCE = 'LOCK TABLE dataward.fence IN EXCLUSIVE MODE';

/**
 * Numbers rows of the journal across runs. By time one could not tell which stage of a drop is the newest: the clock of a
 * server is set back, and that of one that takes over for another may be behind. Rows of older releases have no number.
 */
export const JOURNAL_ORDINAL: readonly string[] = [
  'ALTER TABLE dataward.journal ADD COLUMN IF NOT EXISTS ordinal bigint',
  'CREATE SEQUENCE IF NOT EXISTS dataward.journal_ordinal OWNED BY dataward.journal.ordinal',
  // Not with the column: the rows that are there would be written anew, and numbered in no order.
  `ALTER TABLE dataward.journal ALTER COLUMN ordinal SET DEFAULT pg_catalog.nextval('dataward.journal_ordinal')`,
];

/** Statements that create version 1 in an empty schema. */
export const CREATE_VERSION_1: readonly string[] = [
  `CREATE TABLE dataward.installation (
     one boolean PRIMARY KEY DEFAULT true CHECK (one),
     marker uuid NOT NULL DEFAULT pg_catalog.gen_random_uuid(),
     owner text NOT NULL,
     version integer NOT NULL,
     installed_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp())`,
  `CREATE TABLE dataward.fence (
     one boolean PRIMARY KEY DEFAULT true CHECK (one),
     owner text NOT NULL,
     holds_revision bigint NOT NULL DEFAULT 0,
     frozen_by text,
     frozen_reason text,
     frozen_at timestamptz)`,
  `CREATE TABLE dataward.hold (
     uid text PRIMARY KEY,
     name text NOT NULL,
     revision bigint NOT NULL,
     since timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp())`,
  `CREATE TABLE dataward.hold_item (
     uid text NOT NULL REFERENCES dataward.hold (uid),
     digest text NOT NULL,
     table_schema text NOT NULL,
     table_name text NOT NULL,
     table_oid oid,
     predicate jsonb NOT NULL,
     columns jsonb,
     PRIMARY KEY (uid, digest))`,
  `CREATE TABLE dataward.claim (
     run text PRIMARY KEY,
     epoch bigint NOT NULL,
     owner text NOT NULL,
     last_seq bigint NOT NULL DEFAULT 0,
     at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp())`,
  `CREATE TABLE dataward.journal (
     run text NOT NULL,
     seq bigint NOT NULL,
     epoch bigint NOT NULL,
     collection text NOT NULL,
     table_schema text NOT NULL,
     table_name text NOT NULL,
     method text NOT NULL,
     kind text NOT NULL,
     position jsonb NOT NULL,
     deleted bigint NOT NULL,
     clients jsonb NOT NULL,
     wal_bytes bigint NOT NULL DEFAULT 0,
     at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
     PRIMARY KEY (run, seq))`,
  ...JOURNAL_ORDINAL,
  // Every plan looks for drops that were interrupted, among the batches of three months.
  `CREATE INDEX journal_drops ON dataward.journal ((position->>'leaf')) WHERE kind IN ('DropIntent', 'Drop', 'Reattach')`,
  `CREATE TABLE dataward.approved_rule (
     policy_uid text NOT NULL,
     collection text NOT NULL,
     rule text NOT NULL,
     cutoff text NOT NULL,
     run text NOT NULL,
     at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
     PRIMARY KEY (policy_uid, collection))`,
  // A DBA without any Kubernetes right can stop all destruction. His freeze replaces the operator's, so that
  // the operator's thaw, which only lifts its own, cannot lift it.
  `CREATE FUNCTION dataward.freeze(reason text) RETURNS void
     LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $freeze$
   BEGIN
     LOCK TABLE dataward.fence IN EXCLUSIVE MODE;
     UPDATE dataward.fence SET frozen_by = 'database role ' || session_user, frozen_reason = reason,
       frozen_at = pg_catalog.clock_timestamp();
   END $freeze$`,
  `CREATE FUNCTION dataward.thaw() RETURNS void
     LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $thaw$
   BEGIN
     LOCK TABLE dataward.fence IN EXCLUSIVE MODE;
     UPDATE dataward.fence SET frozen_by = NULL, frozen_reason = NULL, frozen_at = NULL;
   END $thaw$`,
  // Functions are executable by everybody unless this is said.
  'REVOKE ALL ON FUNCTION dataward.freeze(text), dataward.thaw() FROM PUBLIC',
  'REVOKE ALL ON SCHEMA dataward FROM PUBLIC',
];
