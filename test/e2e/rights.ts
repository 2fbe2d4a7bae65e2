import { readFile } from 'node:fs/promises';
import { parseAllDocuments } from 'yaml';

interface AuditEvent {
  readonly verb: string;
  readonly requestURI: string;
  readonly user: { readonly username: string };
  readonly userAgent?: string;
  readonly objectRef?: { readonly apiGroup?: string; readonly resource: string; readonly subresource?: string; readonly namespace?: string };
  readonly responseStatus?: { readonly code?: number };
  readonly annotations?: Readonly<Record<string, string>>;
}

function eventsOf(auditLog: string, user: string): AuditEvent[] {
  return auditLog
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as AuditEvent)
    // The tests borrow the operator's token to attack with; what counts is what the operator itself asked for.
    .filter((event) => event.user.username === user && event.userAgent?.startsWith('dataward/'));
}

/**
 * Requests of a user that were answered 403 or that RBAC forbade. What the operator tries as a dry run to see that
 * forgeries are refused is not among them, as long as it was admission that refused.
 */
export function refusedOf(auditLog: string, user: string): string[] {
  return eventsOf(auditLog, user)
    .filter(({ responseStatus, annotations }) => responseStatus?.code === 403 || annotations?.['authorization.k8s.io/decision'] === 'forbid')
    .filter(({ verb, requestURI, annotations }) => !(verb === 'patch' && /\/purgeruns\/[^/]+\?dryRun=All$/.test(requestURI) && annotations?.['authorization.k8s.io/decision'] === 'allow'))
    .map(({ verb, requestURI }) => `${verb} ${requestURI}`);
}

/** `verb group/resource` of every request of a user that was let through. */
export function usedBy(auditLog: string, user: string): ReadonlySet<string> {
  return new Set(
    eventsOf(auditLog, user).flatMap(({ verb, objectRef, annotations }) => {
      if (!objectRef || annotations?.['authorization.k8s.io/decision'] !== 'allow') return [];
      return [right(verb, objectRef.apiGroup ?? '', [objectRef.resource, ...(objectRef.subresource ? [objectRef.subresource] : [])].join('/'))];
    }),
  );
}

/** Rights that a run without a crash and without a repeated event has no use for. */
export const UNUSED_HERE: readonly string[] = ['patch /configmaps', 'patch events.k8s.io/events', 'delete dataward.io/purgeruns'];

interface RoleManifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly rules?: readonly { readonly apiGroups: readonly string[]; readonly resources: readonly string[]; readonly verbs: readonly string[] }[];
}

/** The same for what the roles of that name in `deploy` give. */
export async function grantedBy(role: string): Promise<string[]> {
  const text = await readFile(new URL('../../deploy/rbac.yaml', import.meta.url), 'utf8');
  const roles = parseAllDocuments(text).map((document) => document.toJS() as RoleManifest).filter(({ kind, metadata }) => ['Role', 'ClusterRole'].includes(kind) && metadata.name === role);
  return roles.flatMap(({ rules = [] }) => rules.flatMap(({ apiGroups, resources, verbs }) => apiGroups.flatMap((group) => resources.flatMap((resource) => verbs.map((verb) => right(verb, group, resource))))));
}

const right = (verb: string, group: string, resource: string): string => `${verb} ${group}/${resource}`;

interface Action {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly namespace: string;
  readonly name?: string;
}

const everywhere = (verb: string, group: string, resource: string, namespace = 'platform-db'): Action => ({ verb, group, resource, namespace });

/** What an attacker with the operator's token would want most. */
export const FORBIDDEN: readonly Action[] = [
  everywhere('approve', 'dataward.io', 'purgeruns'),
  everywhere('approve', 'dataward.io', 'purgeruns', 'dataward-system'),
  ...['create', 'update', 'patch', 'delete'].flatMap((verb) => ['datastores', 'datamaps', 'retentionpolicies', 'complianceprofiles'].map((resource) => everywhere(verb, 'dataward.io', resource))),
  everywhere('create', 'dataward.io', 'legalholds'),
  everywhere('update', 'dataward.io', 'legalholds'),
  everywhere('delete', 'dataward.io', 'legalholds'),
  everywhere('delete', 'dataward.io', 'legalholds', 'dataward-system'),
  ...['list', 'watch', 'create', 'update', 'patch', 'delete'].map((verb) => everywhere(verb, '', 'secrets')),
  ...['list', 'watch', 'update', 'delete'].map((verb) => everywhere(verb, '', 'configmaps')),
  { ...everywhere('update', '', 'configmaps', 'dataward-system'), name: 'dataward-freeze' },
  { ...everywhere('delete', '', 'configmaps', 'dataward-system'), name: 'dataward-freeze' },
  ...['create', 'update', 'delete'].map((verb) => everywhere(verb, '', 'namespaces', '')),
  ...['get', 'update'].map((verb) => ({ ...everywhere(verb, 'coordination.k8s.io', 'leases', 'dataward-system'), name: 'another' })),
  everywhere('create', 'coordination.k8s.io', 'leases', 'kube-system'),
  everywhere('create', '', 'pods'),
  everywhere('create', '', 'pods/exec'),
  everywhere('create', '', 'serviceaccounts/token', 'dataward-system'),
  everywhere('impersonate', '', 'users', ''),
  ...['create', 'escalate', 'bind'].map((verb) => everywhere(verb, 'rbac.authorization.k8s.io', 'clusterroles', '')),
  everywhere('create', 'rbac.authorization.k8s.io', 'clusterrolebindings', ''),
  ...['update', 'delete'].flatMap((verb) => ['validatingadmissionpolicies', 'validatingadmissionpolicybindings'].map((resource) => everywhere(verb, 'admissionregistration.k8s.io', resource, ''))),
  everywhere('update', 'apiextensions.k8s.io', 'customresourcedefinitions', ''),
];
