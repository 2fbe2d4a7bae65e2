import type { KindRef } from './object.ts';

export const GROUP = 'dataward.io';
const VERSION = 'v1alpha1';

function own(kind: string, plural: string): KindRef {
  return { group: GROUP, version: VERSION, plural, kind, namespaced: true };
}

export const DATA_STORE: KindRef = own('DataStore', 'datastores');
export const DATA_MAP: KindRef = own('DataMap', 'datamaps');
export const RETENTION_POLICY: KindRef = own('RetentionPolicy', 'retentionpolicies');
export const LEGAL_HOLD: KindRef = own('LegalHold', 'legalholds');
export const PURGE_RUN: KindRef = own('PurgeRun', 'purgeruns');
export const COMPLIANCE_PROFILE: KindRef = own('ComplianceProfile', 'complianceprofiles');

/** The kinds of this project, in the order a reader meets them. */
export const OWN_KINDS: readonly KindRef[] = [
  DATA_STORE,
  DATA_MAP,
  RETENTION_POLICY,
  LEGAL_HOLD,
  PURGE_RUN,
  COMPLIANCE_PROFILE,
];

export const SECRET: KindRef = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };
export const CONFIG_MAP: KindRef = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap', namespaced: true };
export const NAMESPACE: KindRef = { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace', namespaced: false };

/** Where requests enter a cluster. The kinds of the Gateway API are there only where somebody installed them. */
export const INGRESS: KindRef = { group: 'networking.k8s.io', version: 'v1', plural: 'ingresses', kind: 'Ingress', namespaced: true };
export const GATEWAY: KindRef = { group: 'gateway.networking.k8s.io', version: 'v1', plural: 'gateways', kind: 'Gateway', namespaced: true };
export const HTTP_ROUTE: KindRef = { group: 'gateway.networking.k8s.io', version: 'v1', plural: 'httproutes', kind: 'HTTPRoute', namespaced: true };

/** `apiVersion` as it stands in an object of the kind. */
export function apiVersionOf(kind: KindRef): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
}

/** The own kind with that name, or undefined. */
export function ownKind(kind: string): KindRef | undefined {
  return OWN_KINDS.find((candidate) => candidate.kind === kind);
}

/** On a credential Secret: the DataStore it is meant for. Without it the Secret is not used. */
export const STORE_ANNOTATION = 'dataward.io/store';
/**
 * On a credential Secret: the host it may be sent to. Whoever may create a DataStore but not read Secrets could
 * otherwise point somebody's password at a host of his own.
 */
export const HOST_ANNOTATION = 'dataward.io/host';
/** On a DataStore: the fingerprint a person confirms after the store behind the name has changed. */
export const CONFIRM_TARGET_ANNOTATION = 'dataward.io/confirm-target';

/** On a PurgeRun: the policy it belongs to. An ownerReference cannot cross namespaces. */
export const POLICY_LABEL = 'dataward.io/policy';
export const POLICY_NAMESPACE_LABEL = 'dataward.io/policy-namespace';
export const POLICY_UID_LABEL = 'dataward.io/policy-uid';

/** On a hold that was created again in the root namespace: `namespace/name` it was declared under. */
export const MOVED_FROM_ANNOTATION = 'dataward.io/moved-from';
/** On such a hold: the uids it had before, by which stores know it; separated by spaces, oldest first. */
export const MOVED_UIDS_ANNOTATION = 'dataward.io/moved-uids';

/** Keeps an object until what protects data has been settled; removed by the operator only. */
export const FINALIZER = 'dataward.io/protect';

/** Where the operator runs by default; what is declared there may reach other namespaces. */
export const ROOT_NAMESPACE = 'dataward-system';
/** A ConfigMap of this name stops all destruction: everywhere in the root namespace, else in its own. */
export const FREEZE_CONFIG_MAP = 'dataward-freeze';
/** The account of the operator, as admission policies see it by default. */
export const OPERATOR_USERNAME = 'system:serviceaccount:dataward-system:dataward';
