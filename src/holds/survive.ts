import type { LegalHold } from '../api/generated/legalHold.ts';
import { LEGAL_HOLD } from '../api/kinds.ts';
import type { AuditLog } from '../evidence/audit/log.ts';
import type { HoldList } from '../rules/succession.ts';
import { isAlreadyExists, type Client } from '../runtime/client.ts';
import type { EventRecorder } from '../runtime/events.ts';
import { copyOf, newCopy } from './copies.ts';

export interface SurvivalContext {
  client: Client;
  audit: AuditLog;
  events: EventRecorder;
  /** User name the audit log names for what the operator did. */
  actor: string;
}

/**
 * Before a hold's object goes - with its namespace, or by a hand that had the right but not the reason - the hold
 * is created again in the root namespace, so that it stays visible, reviewable and releasable. In the stores it
 * stands anyway: only a release removes it there.
 *
 * @param list all holds, as the API server has them now
 * @returns the copy as it stands, so that the caller can wait until it is in force before the old entry goes;
 *   undefined when somebody took its name in this moment: the next look finds another.
 */
export async function survive(hold: LegalHold, list: HoldList, context: SurvivalContext): Promise<LegalHold | undefined> {
  const standing = copyOf(hold, list);
  if (standing) return standing;
  const { namespace = '', name, uid = '' } = hold.metadata;
  const copy = newCopy(hold, list);
  await context.audit.append({ actor: context.actor, action: 'hold.moved', object: { kind: 'LegalHold', namespace, name, uid }, outcome: 'Done', refs: { successor: copy.metadata.name } });
  try {
    const created = await context.client.create(LEGAL_HOLD, copy);
    context.events.event(created, { type: 'Warning', reason: 'MovedToRootNamespace', action: 'Hold', note: `LegalHold ${namespace}/${name} was deleted without a release; it stays in force as ${copy.metadata.namespace}/${copy.metadata.name}.` });
    return created;
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    return undefined;
  }
}
