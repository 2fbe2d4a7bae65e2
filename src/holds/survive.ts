import type { LegalHold } from '../api/generated/legalHold.ts';
import { LEGAL_HOLD, MOVED_FROM_ANNOTATION } from '../api/kinds.ts';
import { originOf } from '../rules/succession.ts';
import type { AuditLog } from '../evidence/audit/log.ts';
import { isAlreadyExists, type Client } from '../runtime/client.ts';
import type { EventRecorder } from '../runtime/events.ts';

export interface SurvivalContext {
  client: Client;
  rootNamespace: string;
  audit: AuditLog;
  events: EventRecorder;
  /** User name the audit log names for what the operator did. */
  actor: string;
}

/**
 * Before a hold's object goes - with its namespace, or by a hand that had the right but not the reason - the hold
 * is created again in the root namespace, so that it stays visible, reviewable and releasable. In the stores it
 * stands anyway: only a release removes it there. A release that was begun or waits for a successor begins anew:
 * nobody may sign a hold in a name that is not his own, the operator neither.
 *
 * @returns the successor as it stands, so that the caller can wait until it is in force before the old entry goes.
 */
export async function survive(hold: LegalHold, context: SurvivalContext): Promise<LegalHold | undefined> {
  const { namespace = '', name, uid = '' } = hold.metadata;
  const ref = { namespace: context.rootNamespace, name: `${name.slice(0, 200)}-${uid.slice(0, 8)}` };
  const standing = await context.client.get<LegalHold>(LEGAL_HOLD, ref);
  if (standing) return standing;
  const { release: _release, ...declared } = hold.spec;
  const successor: LegalHold = {
    apiVersion: hold.apiVersion,
    kind: hold.kind,
    metadata: {
      ...ref,
      annotations: { [MOVED_FROM_ANNOTATION]: originOf(hold, context.rootNamespace) },
    },
    spec: { ...declared, ...(namespace === context.rootNamespace ? {} : { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } }) },
  };
  await context.audit.append({ actor: context.actor, action: 'hold.moved', object: { kind: 'LegalHold', namespace, name, uid }, outcome: 'Done', refs: { successor: successor.metadata.name } });
  try {
    const created = await context.client.create(LEGAL_HOLD, successor);
    context.events.event(created, { type: 'Warning', reason: 'MovedToRootNamespace', action: 'Hold', note: `LegalHold ${namespace}/${name} was deleted without a release; it stays in force as ${ref.namespace}/${ref.name}.` });
    return created;
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    return context.client.get<LegalHold>(LEGAL_HOLD, ref);
  }
}
