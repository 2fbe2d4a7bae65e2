import type { PurgeRun, PurgeRunSpec } from '../../../../src/api/generated/purgeRun.ts';
import { planDigest } from '../../../../src/retention/plan.ts';
import { executedOf, type Executed } from '../../../../src/retention/run/executed.ts';
import type { NormalRule } from '../../../../src/rules/weakening.ts';
import type { PurgeRequest } from '../../../../src/stores/purging.ts';

type Plan = PurgeRunSpec['plan'];

export function aPlan(changes: Partial<Plan> = {}): Plan {
  return {
    steps: [{ order: 1, collection: 'platform-db/web/views', method: 'BlockRange', cutoff: '2025-03-01T00:00:00Z', policy: 'platform-db/general', predicateDigest: 'sha256:p', rule: 'null', because: 'selected' }],
    tables: [{ schema: 'public', name: 'views', oid: 'views' }],
    target: 'sha256:target',
    limits: { maxRows: 1_000, maxCutoffAdvance: 'P7D' },
    algebra: 1,
    asOf: '2026-03-01T02:00:00Z',
    validUntil: '2026-03-08T02:00:00Z',
    ...changes,
  };
}

/** A run of the policy `general` whose digest is right unless a test says otherwise. */
export function aRun(spec: Partial<PurgeRunSpec> = {}, status?: PurgeRun['status'], name = 'general-1'): PurgeRun {
  const plan = spec.plan ?? aPlan();
  return {
    apiVersion: 'dataward.io/v1alpha1',
    kind: 'PurgeRun',
    metadata: { name, namespace: 'platform-db', uid: `uid-${name}`, generation: 1, creationTimestamp: '2026-03-01T02:00:00Z', labels: { 'dataward.io/policy-uid': 'uid-general' } },
    spec: {
      store: 'analytics',
      plan,
      planDigest: planDigest(plan),
      forecast: { at: plan.asOf, steps: [{ collection: 'platform-db/web/views', due: 400, held: 1, floored: 2, indeterminate: 3, blocked: 0, exact: true }] },
      ...spec,
    },
    ...(status ? { status } : {}),
  };
}

/** What a plan is carried out by under this request; fails where that is more than was planned. */
export function anExecuted(request: PurgeRequest, plan: Plan = aPlan(), normals: ReadonlyMap<string, NormalRule> = new Map()): Executed {
  const carried = executedOf(plan, request, normals);
  if ('wider' in carried) throw new Error(carried.wider);
  return carried.executed;
}
