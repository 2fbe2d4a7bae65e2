import type { DataStore } from '../../api/generated/dataStore.ts';
import type { PurgeRun } from '../../api/generated/purgeRun.ts';
import type { AuditObject } from '../../evidence/audit/record.ts';

/** A run as the audit log names what a record is about. */
export function objectOf(run: PurgeRun): AuditObject & { uid: string } {
  return { kind: 'PurgeRun', namespace: run.metadata.namespace ?? '', name: run.metadata.name, uid: run.metadata.uid ?? '' };
}

/** A store as the audit log knows whose journal a row came from. */
export function nameOfStore(store: DataStore): string {
  return `${store.metadata.namespace ?? ''}/${store.metadata.name}`;
}
