import type { KindRef, KubeObject } from '../api/object.ts';
import { formatMicroTime } from './clock.ts';

export const LEASE: KindRef = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', kind: 'Lease', namespaced: true };

export interface Lease extends KubeObject {
  spec?: LeaseSpec;
}

export interface LeaseSpec {
  holderIdentity?: string | null;
  leaseDurationSeconds?: number | null;
  acquireTime?: string | null;
  renewTime?: string | null;
  leaseTransitions?: number | null;
}

/**
 * Whether a candidate may write itself into the lease: it is ours, or nobody's, or `unchangedMs` since we first saw this
 * state is longer than its holder asked for. The times in the lease come from other clocks and are not looked at.
 */
export function mayTake(spec: LeaseSpec | undefined, identity: string, unchangedMs: number): boolean {
  const holder = spec?.holderIdentity ?? '';
  return holder === '' || holder === identity || unchangedMs > (spec?.leaseDurationSeconds ?? 0) * 1000;
}

/** The spec that takes or renews the lease; a new holder counts one transition more. `now` is epoch milliseconds. */
export function nextSpec(before: LeaseSpec | undefined, by: { identity: string; leaseDurationMs: number; now: number }): LeaseSpec {
  const time = formatMicroTime(by.now);
  const ours = before?.holderIdentity === by.identity;
  return {
    holderIdentity: by.identity,
    leaseDurationSeconds: Math.ceil(by.leaseDurationMs / 1000),
    acquireTime: ours ? (before.acquireTime ?? time) : time,
    renewTime: time,
    leaseTransitions: before === undefined ? 0 : (before.leaseTransitions ?? 0) + (ours ? 0 : 1),
  };
}

/** Whether someone else is named as the holder. */
export function holderIsOther(lease: Lease | undefined, identity: string): boolean {
  const holder = lease?.spec?.holderIdentity ?? '';
  return holder !== '' && holder !== identity;
}
