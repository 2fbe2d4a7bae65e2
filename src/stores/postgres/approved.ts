import type { ApprovedRule } from '../fence.ts';
import type { Connection } from './connection.ts';
import { utcText } from './sql.ts';

/** Effective rules last approved and verified under a policy, by collection; none where no schema is installed. */
export async function readApprovedRules(connection: Connection, policyUid: string): Promise<ApprovedRule[]> {
  const installed = await connection.query(`SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'dataward' AND c.relname = 'approved_rule'`);
  if (installed.rowCount === 0) return [];
  const { rows } = await connection.query<{ collection: string; rule: string; cutoff: string; run: string; at: string }>(
    `SELECT collection, rule, cutoff, run, ${utcText('at')} AS at FROM dataward.approved_rule WHERE policy_uid = $1 ORDER BY collection`,
    [policyUid],
  );
  return rows;
}

/** Records rules as approved; those of other collections stay as they are. All or none. */
export async function recordApprovedRules(connection: Connection, policyUid: string, rules: readonly ApprovedRule[]): Promise<void> {
  await connection.query(
    `INSERT INTO dataward.approved_rule (policy_uid, collection, rule, cutoff, run, at)
     SELECT $1, r->>'collection', r->>'rule', r->>'cutoff', r->>'run', (r->>'at')::timestamptz FROM jsonb_array_elements($2::jsonb) r
     ON CONFLICT (policy_uid, collection) DO UPDATE SET rule = excluded.rule, cutoff = excluded.cutoff, run = excluded.run, at = excluded.at`,
    [policyUid, JSON.stringify(rules)],
  );
}
