/** The bodies of the answers so far, by the name of their request. */
export type Earlier = Record<string, unknown>;

/** One request of the fixed table that specifies the local API server, together with what is compared. */
export interface ApiRequestCase {
  name: string;
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string | ((earlier: Earlier) => string);
  /** Sent as JSON; a text goes as it is. */
  body?: object | string | ((earlier: Earlier) => unknown);
  headers?: Record<string, string>;
  /** True: the answer is a stream of events, one on each line. */
  watch?: boolean;
  /** Picks what is compared; without it `project` decides. */
  compare?: (body: unknown) => unknown;
  /** Wait after the answer, for what controllers do behind it. */
  settleMs?: number;
}

interface KubeBody {
  metadata: { resourceVersion: string; uid: string; continue?: string } & Record<string, unknown>;
  [field: string]: unknown;
}

export const NAMESPACE = 'requests';
const CORE = `/api/v1/namespaces/${NAMESPACE}`;
const WIDGETS = `/apis/test.dataward.io/v1alpha1/namespaces/${NAMESPACE}/widgets`;
const MERGE = { 'content-type': 'application/merge-patch+json' };
const JSON_PATCH = { 'content-type': 'application/json-patch+json' };
const STRATEGIC = { 'content-type': 'application/strategic-merge-patch+json' };
const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' };

function answer(earlier: Earlier, name: string): KubeBody {
  return earlier[name] as KubeBody;
}

function widget(name: string, spec: object, metadata: object = {}): object {
  return { apiVersion: 'test.dataward.io/v1alpha1', kind: 'Widget', metadata: { name, ...metadata }, spec };
}

function configMap(name: string, data: object, metadata: object = {}): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...metadata }, data };
}

const names = (body: unknown): unknown => (body as { items: { metadata: { name: string } }[] }).items?.map((item) => item.metadata.name);
const nothing = (): string => 'only the code';
const reasonOnly = (body: unknown): unknown => (body as { reason?: string }).reason;

const DISCOVERY: ApiRequestCase[] = [
  { name: 'discovery of the custom group', method: 'GET', path: '/apis/test.dataward.io/v1alpha1' },
  { name: 'discovery of a group that is not there', method: 'GET', path: '/apis/nothing.example.com/v1', compare: nothing },
  { name: 'a kind that is not there', method: 'GET', path: `/apis/test.dataward.io/v1alpha1/namespaces/${NAMESPACE}/gadgets`, compare: nothing },
  { name: 'health', method: 'GET', path: '/healthz' },
  { name: 'who am I', method: 'POST', path: '/apis/authentication.k8s.io/v1/selfsubjectreviews', body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }, compare: nothing },
  {
    name: 'may I approve',
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    body: { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes: { group: 'dataward.io', resource: 'purgeruns', verb: 'approve', namespace: NAMESPACE } } },
    compare: (body) => (body as { status: { allowed: boolean } }).status.allowed,
  },
];

const NAMESPACES: ApiRequestCase[] = [
  { name: 'create in a namespace that is not there', method: 'POST', path: WIDGETS, body: widget('early', { size: 1 }) },
  { name: 'create the namespace', method: 'POST', path: '/api/v1/namespaces', body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } } },
  { name: 'create the namespace twice', method: 'POST', path: '/api/v1/namespaces', body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } } },
  { name: 'a namespace without apiVersion and kind', method: 'POST', path: '/api/v1/namespaces', body: { metadata: { name: 'plain' } } },
  { name: 'a namespace with a bad name', method: 'POST', path: '/api/v1/namespaces', body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'Bad_Name' } } },
  { name: 'delete the default namespace', method: 'DELETE', path: '/api/v1/namespaces/default' },
];

const CREATING: ApiRequestCase[] = [
  { name: 'create a widget', method: 'POST', path: WIDGETS, body: { ...widget('one', { size: 3 }, { labels: { tier: 'a' } }), status: { conditions: [{ type: 'Ready', status: 'True' }] } } },
  { name: 'read it', method: 'GET', path: `${WIDGETS}/one` },
  { name: 'create it twice', method: 'POST', path: WIDGETS, body: widget('one', { size: 3 }) },
  { name: 'read what is not there', method: 'GET', path: `${WIDGETS}/none` },
  { name: 'create without apiVersion and kind', method: 'POST', path: WIDGETS, body: { metadata: { name: 'plain' }, spec: { size: 1 } }, compare: reasonOnly },
  { name: 'create with generateName', method: 'POST', path: WIDGETS, body: widget('', { size: 1 }, { generateName: 'made-', labels: { tier: 'made' } }), compare: (body) => /^made-[a-z0-9]{5}$/.test(answer({ body }, 'body').metadata['name'] as string) },
  { name: 'create without a name', method: 'POST', path: WIDGETS, body: widget('', { size: 1 }) },
  { name: 'create with a bad name', method: 'POST', path: WIDGETS, body: widget('Not_Good', { size: 1 }) },
  { name: 'create with bad labels', method: 'POST', path: WIDGETS, body: widget('labels', { size: 1 }, { labels: { 'a b': 'x', c: 'd e' } }) },
  { name: 'create with a bad finalizer', method: 'POST', path: WIDGETS, body: widget('fin', { size: 1 }, { finalizers: ['not a name'] }), compare: reasonOnly },
  { name: 'create below the minimum', method: 'POST', path: WIDGETS, body: widget('small', { size: 0 }) },
  { name: 'create without a required field', method: 'POST', path: WIDGETS, body: widget('empty', {}) },
  { name: 'create without a spec', method: 'POST', path: WIDGETS, body: { apiVersion: 'test.dataward.io/v1alpha1', kind: 'Widget', metadata: { name: 'bare' } } },
  { name: 'create with several mistakes', method: 'POST', path: WIDGETS, body: widget('wrong', { size: 0, colour: 'Blue', note: 'far too long a note' }) },
  { name: 'create with a value of the wrong type', method: 'POST', path: WIDGETS, body: widget('typed', { size: 'three' }) },
  { name: 'create with two parts of one name', method: 'POST', path: WIDGETS, body: widget('parts', { size: 1, parts: [{ name: 'a' }, { name: 'a' }] }) },
  { name: 'an unknown field is dropped', method: 'POST', path: WIDGETS, body: widget('loose', { size: 1, weight: 5 }) },
  { name: 'an unknown field is refused when strict', method: 'POST', path: `${WIDGETS}?fieldValidation=Strict`, body: widget('strict', { size: 1, weight: 5 }) },
  { name: 'dry run', method: 'POST', path: `${WIDGETS}?dryRun=All`, body: widget('dry', { size: 1 }), compare: (body) => (body as KubeBody)['spec'] },
  { name: 'dry run stored nothing', method: 'GET', path: `${WIDGETS}/dry` },
  { name: 'the wrong kind', method: 'POST', path: WIDGETS, body: configMap('wrong', {}), compare: reasonOnly },
  { name: 'another namespace than the one of the path', method: 'POST', path: WIDGETS, body: widget('other', { size: 1 }, { namespace: 'default' }), compare: reasonOnly },
  { name: 'not JSON', method: 'POST', path: WIDGETS, body: '{"apiVersion":', compare: reasonOnly },
  { name: 'create over all namespaces', method: 'POST', path: '/apis/test.dataward.io/v1alpha1/widgets', body: widget('one', { size: 1 }), compare: nothing },
];

const EDGES: ApiRequestCase[] = [
  { name: 'a dry run nobody knows', method: 'POST', path: `${WIDGETS}?dryRun=Sometimes`, body: widget('edge', { size: 1 }), compare: nothing },
  { name: 'a field validation nobody knows', method: 'POST', path: `${WIDGETS}?fieldValidation=Sometimes`, body: widget('edge', { size: 1 }), compare: nothing },
  { name: 'a limit that is not a number', method: 'GET', path: `${WIDGETS}?limit=many`, compare: nothing },
  { name: 'an unknown field of metadata when strict', method: 'POST', path: `${WIDGETS}?fieldValidation=Strict`, body: widget('edge', { size: 1 }, { colour: 'red' }), compare: reasonOnly },
  { name: 'labels that are not text', method: 'POST', path: WIDGETS, body: widget('edge', { size: 1 }, { labels: { a: 1 } }), compare: nothing },
  { name: 'a name that is too long', method: 'POST', path: WIDGETS, body: widget('n'.repeat(254), { size: 1 }), compare: reasonOnly },
  { name: 'an owner without a uid', method: 'POST', path: WIDGETS, body: widget('edge', { size: 1 }, { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'x' }] }), compare: reasonOnly },
  {
    name: 'two controllers',
    method: 'POST',
    path: WIDGETS,
    body: widget('edge', { size: 1 }, { ownerReferences: ['a', 'b'].map((name) => ({ apiVersion: 'v1', kind: 'ConfigMap', name, uid: name, controller: true })) }),
    compare: reasonOnly,
  },
  { name: 'annotations that are too large', method: 'POST', path: WIDGETS, body: widget('edge', { size: 1 }, { annotations: { a: 'x'.repeat(262_145) } }) },
  { name: 'an annotation with a bad key', method: 'POST', path: WIDGETS, body: widget('edge', { size: 1 }, { annotations: { 'a b': 'x' } }) },
  { name: 'a list in place of an object', method: 'POST', path: WIDGETS, body: '[]', compare: nothing },
  { name: 'an empty body', method: 'POST', path: WIDGETS, body: '', compare: nothing },
  { name: 'a merge patch that is a list', method: 'PATCH', path: `${WIDGETS}/one`, headers: MERGE, body: '[]', compare: nothing },
  { name: 'a JSON patch that is an object', method: 'PATCH', path: `${WIDGETS}/one`, headers: JSON_PATCH, body: '{}', compare: nothing },
  { name: 'a dry run of a patch', method: 'PATCH', path: `${WIDGETS}/one?dryRun=All`, headers: MERGE, body: { spec: { size: 50 } } },
  { name: 'the name is changed by a patch', method: 'PATCH', path: `${WIDGETS}/one`, headers: MERGE, body: { metadata: { name: 'two' } }, compare: nothing },
  { name: 'the creation time is changed by a patch', method: 'PATCH', path: `${WIDGETS}/one?dryRun=All`, headers: MERGE, body: { metadata: { generation: 99 } } },
  { name: 'the status of what is not there', method: 'PUT', path: `${WIDGETS}/none/status`, body: widget('none', { size: 1 }, { resourceVersion: '1' }) },
];

const UPDATING: ApiRequestCase[] = [
  { name: 'replace it', method: 'PUT', path: `${WIDGETS}/one`, body: (earlier) => ({ ...answer(earlier, 'read it'), spec: { size: 4, colour: 'Red' } }) },
  { name: 'replace with an old resourceVersion', method: 'PUT', path: `${WIDGETS}/one`, body: (earlier) => ({ ...answer(earlier, 'read it'), spec: { size: 5, colour: 'Red' } }) },
  { name: 'replace without a resourceVersion', method: 'PUT', path: `${WIDGETS}/one`, body: widget('one', { size: 5 }), compare: reasonOnly },
  { name: 'replace what is not there', method: 'PUT', path: `${WIDGETS}/none`, body: widget('none', { size: 5 }, { resourceVersion: '1' }) },
  { name: 'replace under another name', method: 'PUT', path: `${WIDGETS}/one`, body: (earlier) => ({ ...answer(earlier, 'replace it'), metadata: { ...answer(earlier, 'replace it').metadata, name: 'two' } }), compare: reasonOnly },
  { name: 'replace with another uid', method: 'PUT', path: `${WIDGETS}/one`, body: (earlier) => ({ ...answer(earlier, 'replace it'), metadata: { ...answer(earlier, 'replace it').metadata, uid: 'other' } }), compare: reasonOnly },
  { name: 'replace with the same content', method: 'PUT', path: `${WIDGETS}/one`, body: (earlier) => answer(earlier, 'replace it') },
  { name: 'a transition rule refuses', method: 'PATCH', path: `${WIDGETS}/one`, headers: MERGE, body: { spec: { colour: 'Green' } } },
  { name: 'status is written apart', method: 'PUT', path: `${WIDGETS}/one/status`, body: (earlier) => ({ ...answer(earlier, 'replace it'), spec: { size: 99 }, status: { conditions: [{ type: 'Ready', status: 'True' }] } }) },
  { name: 'status is read apart', method: 'GET', path: `${WIDGETS}/one/status` },
  { name: 'a status that the schema refuses', method: 'PATCH', path: `${WIDGETS}/one/status`, headers: MERGE, body: { status: { conditions: [{ type: 'Ready', status: 'Maybe' }] } } },
  { name: 'the main path leaves status alone', method: 'PATCH', path: `${WIDGETS}/one`, headers: MERGE, body: { status: { conditions: [] } } },
  { name: 'a subresource that is not there', method: 'GET', path: `${WIDGETS}/one/scale`, compare: nothing },
];

const PATCHING: ApiRequestCase[] = [
  { name: 'merge patch', method: 'PATCH', path: `${WIDGETS}/one`, headers: MERGE, body: { metadata: { labels: { tier: null, role: 'x' } }, spec: { note: 'hi' } } },
  { name: 'merge patch removes with null', method: 'PATCH', path: `${WIDGETS}/one`, headers: MERGE, body: { spec: { note: null } } },
  { name: 'merge patch with an old resourceVersion', method: 'PATCH', path: `${WIDGETS}/one`, headers: MERGE, body: { metadata: { resourceVersion: '1' }, spec: { size: 8 } } },
  { name: 'merge patch of what is not there', method: 'PATCH', path: `${WIDGETS}/none`, headers: MERGE, body: { spec: { size: 8 } } },
  { name: 'merge patch with an unknown field when strict', method: 'PATCH', path: `${WIDGETS}/one?fieldValidation=Strict`, headers: MERGE, body: { spec: { weight: 8 } }, compare: reasonOnly },
  { name: 'JSON patch', method: 'PATCH', path: `${WIDGETS}/one`, headers: JSON_PATCH, body: [{ op: 'test', path: '/spec/size', value: 4 }, { op: 'replace', path: '/spec/size', value: 6 }] },
  { name: 'JSON patch whose test fails', method: 'PATCH', path: `${WIDGETS}/one`, headers: JSON_PATCH, body: [{ op: 'test', path: '/spec/size', value: 4 }], compare: reasonOnly },
  { name: 'JSON patch of a path that is not there', method: 'PATCH', path: `${WIDGETS}/one`, headers: JSON_PATCH, body: [{ op: 'remove', path: '/spec/nothing' }], compare: reasonOnly },
  { name: 'strategic merge of a custom kind', method: 'PATCH', path: `${WIDGETS}/one`, headers: STRATEGIC, body: { spec: { size: 7 } }, compare: reasonOnly },
  { name: 'an empty merge patch changes nothing', method: 'PATCH', path: `${WIDGETS}/one`, headers: MERGE, body: {} },
  { name: 'a content type nobody knows', method: 'POST', path: WIDGETS, headers: { 'content-type': 'text/csv' }, body: 'a,b', compare: reasonOnly },
];

const LISTING: ApiRequestCase[] = [
  { name: 'a second widget', method: 'POST', path: WIDGETS, body: widget('two', { size: 2, parts: [{ name: 'p', count: 2 }] }, { labels: { tier: 'b' } }) },
  { name: 'tidy up what generateName made', method: 'DELETE', path: `${WIDGETS}?labelSelector=tier%3Dmade`, compare: nothing },
  { name: 'list', method: 'GET', path: WIDGETS },
  { name: 'list over all namespaces', method: 'GET', path: '/apis/test.dataward.io/v1alpha1/widgets' },
  { name: 'list by label', method: 'GET', path: `${WIDGETS}?labelSelector=tier%3Db`, compare: names },
  { name: 'list by label, set form', method: 'GET', path: `${WIDGETS}?labelSelector=tier%20in%20(b%2Cc)`, compare: names },
  { name: 'list by label, not in', method: 'GET', path: `${WIDGETS}?labelSelector=tier%20notin%20(b)`, compare: names },
  { name: 'list by label, unequal', method: 'GET', path: `${WIDGETS}?labelSelector=tier!%3Db`, compare: names },
  { name: 'list by label, there', method: 'GET', path: `${WIDGETS}?labelSelector=tier`, compare: names },
  { name: 'list by label, not there', method: 'GET', path: `${WIDGETS}?labelSelector=!tier`, compare: names },
  { name: 'a label selector nobody can read', method: 'GET', path: `${WIDGETS}?labelSelector=tier%20around%20b`, compare: reasonOnly },
  { name: 'list by name', method: 'GET', path: `${WIDGETS}?fieldSelector=metadata.name%3Dtwo`, compare: names },
  { name: 'list by a field that cannot be selected', method: 'GET', path: `${WIDGETS}?fieldSelector=spec.size%3D2`, compare: reasonOnly },
  { name: 'the first page', method: 'GET', path: `${WIDGETS}?limit=1` },
  { name: 'the second page', method: 'GET', path: (earlier) => `${WIDGETS}?limit=1&continue=${encodeURIComponent(answer(earlier, 'the first page').metadata.continue ?? '')}` },
  { name: 'a page that nobody gave', method: 'GET', path: `${WIDGETS}?limit=1&continue=nonsense`, compare: nothing },
  { name: 'list at any version', method: 'GET', path: `${WIDGETS}?resourceVersion=0`, compare: names },
  { name: 'list exactly as it was', method: 'GET', path: (earlier) => `${WIDGETS}?resourceVersion=${answer(earlier, 'a second widget').metadata.resourceVersion}&resourceVersionMatch=Exact`, compare: (body) => (names(body) as string[]).filter((name) => !name.startsWith('made-')) },
  { name: 'a version match without a version', method: 'GET', path: `${WIDGETS}?resourceVersionMatch=Exact` },
  { name: 'list at a version that is not a number', method: 'GET', path: `${WIDGETS}?resourceVersion=abc`, compare: nothing },
  { name: 'list with initial events', method: 'GET', path: `${WIDGETS}?sendInitialEvents=true`, compare: reasonOnly },
  { name: 'list as a table', method: 'GET', path: WIDGETS, headers: TABLE },
  { name: 'one as a table', method: 'GET', path: `${WIDGETS}/two?includeObject=None`, headers: TABLE },
  { name: 'metadata only', method: 'GET', path: `${WIDGETS}/two`, headers: { accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' } },
  { name: 'a form nobody has', method: 'GET', path: WIDGETS, headers: { accept: 'text/csv' }, compare: reasonOnly },
];

const WATCHING: ApiRequestCase[] = [
  { name: 'watch from the start', method: 'GET', path: `${WIDGETS}?watch=true&timeoutSeconds=1`, watch: true },
  { name: 'watch from a version', method: 'GET', path: (earlier) => `${WIDGETS}?watch=true&timeoutSeconds=1&resourceVersion=${answer(earlier, 'replace it').metadata.resourceVersion}&fieldSelector=metadata.name%3Done`, watch: true },
  { name: 'watch a label that came and went', method: 'GET', path: (earlier) => `${WIDGETS}?watch=true&timeoutSeconds=1&resourceVersion=${answer(earlier, 'create a widget').metadata.resourceVersion}&labelSelector=tier%3Da`, watch: true },
  { name: 'watch as tables', method: 'GET', path: `${WIDGETS}?watch=true&timeoutSeconds=1`, headers: TABLE, watch: true, compare: (body) => (body as { type: string; object: { kind: string; rows: unknown[] } }[]).map(({ type, object }) => [type, object.kind, object.rows.length]) },
];

const DELETING: ApiRequestCase[] = [
  { name: 'a widget with a finalizer', method: 'POST', path: WIDGETS, body: widget('held', { size: 1 }, { finalizers: ['test.dataward.io/hold'] }) },
  { name: 'delete with the wrong uid', method: 'DELETE', path: `${WIDGETS}/held`, body: { preconditions: { uid: 'other' } }, compare: reasonOnly },
  { name: 'delete as a dry run', method: 'DELETE', path: `${WIDGETS}/two?dryRun=All`, compare: nothing },
  { name: 'delete the held one', method: 'DELETE', path: `${WIDGETS}/held` },
  { name: 'delete the held one again', method: 'DELETE', path: `${WIDGETS}/held` },
  { name: 'add a finalizer while it is deleted', method: 'PATCH', path: `${WIDGETS}/held`, headers: MERGE, body: { metadata: { finalizers: ['test.dataward.io/hold', 'test.dataward.io/more'] } } },
  { name: 'let it go', method: 'PATCH', path: `${WIDGETS}/held`, headers: MERGE, body: { metadata: { finalizers: null } } },
  { name: 'it is gone', method: 'GET', path: `${WIDGETS}/held` },
  { name: 'delete', method: 'DELETE', path: `${WIDGETS}/two` },
  { name: 'delete what is not there', method: 'DELETE', path: `${WIDGETS}/two` },
  { name: 'delete with a policy nobody knows', method: 'DELETE', path: `${WIDGETS}/one`, body: { propagationPolicy: 'Sideways' }, compare: nothing },
];

const OWNING: ApiRequestCase[] = ['Background', 'Foreground', 'Orphan'].flatMap((policy): ApiRequestCase[] => {
  const owner = `owner-${policy.toLowerCase()}`;
  const child = `child-${policy.toLowerCase()}`;
  return [
    { name: `${policy}: owner`, method: 'POST', path: WIDGETS, body: widget(owner, { size: 1 }) },
    {
      name: `${policy}: child`,
      method: 'POST',
      path: `${CORE}/configmaps`,
      body: (earlier) => configMap(child, {}, {
        ownerReferences: [{ apiVersion: 'test.dataward.io/v1alpha1', kind: 'Widget', name: owner, uid: answer(earlier, `${policy}: owner`).metadata.uid, blockOwnerDeletion: true }],
      }),
      // The garbage collector of a cluster must have seen the reference before the owner goes.
      settleMs: 500,
    },
    { name: `${policy}: delete the owner`, method: 'DELETE', path: `${WIDGETS}/${owner}`, body: { propagationPolicy: policy }, settleMs: 2000, compare: nothing },
    { name: `${policy}: the owner is gone`, method: 'GET', path: `${WIDGETS}/${owner}` },
    { name: `${policy}: what became of the child`, method: 'GET', path: `${CORE}/configmaps/${child}` },
  ];
});

const BUILT_IN: ApiRequestCase[] = [
  { name: 'a config map', method: 'POST', path: `${CORE}/configmaps`, body: configMap('settings', { a: 'b' }, { finalizers: ['test.dataward.io/a'] }) },
  { name: 'replace a config map without a version', method: 'PUT', path: `${CORE}/configmaps/settings`, body: configMap('settings', { a: 'c' }, { finalizers: ['test.dataward.io/a'] }) },
  { name: 'strategic merge adds to a list', method: 'PATCH', path: `${CORE}/configmaps/settings`, headers: STRATEGIC, body: { metadata: { finalizers: ['test.dataward.io/b'] }, data: { a: null, d: 'e' } } },
  { name: 'strategic merge takes from a list', method: 'PATCH', path: `${CORE}/configmaps/settings`, headers: STRATEGIC, body: { metadata: { '$deleteFromPrimitiveList/finalizers': ['test.dataward.io/a', 'test.dataward.io/b'] } } },
  { name: 'a config map with a bad key', method: 'POST', path: `${CORE}/configmaps`, body: configMap('badkey', { 'a/b': 'c' }) },
  { name: 'a config map with an unknown field when strict', method: 'POST', path: `${CORE}/configmaps?fieldValidation=Strict`, body: { ...configMap('strict', {}), colour: 'red' } },
  { name: 'a config map with a number', method: 'POST', path: `${CORE}/configmaps`, body: configMap('number', { a: 1 }), compare: reasonOnly },
  { name: 'a secret', method: 'POST', path: `${CORE}/secrets`, body: { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'login' }, stringData: { password: 'x' } } },
  { name: 'a secret changes its type', method: 'PATCH', path: `${CORE}/secrets/login`, headers: MERGE, body: { type: 'kubernetes.io/basic-auth', data: { username: 'eA==' } }, compare: reasonOnly },
  { name: 'secrets as a table', method: 'GET', path: `${CORE}/secrets`, headers: TABLE },
  { name: 'config maps as a table', method: 'GET', path: `${CORE}/configmaps?fieldSelector=metadata.name%3Dsettings`, headers: TABLE },
  { name: 'config maps as a list', method: 'GET', path: `${CORE}/configmaps?fieldSelector=metadata.name%3Dsettings` },
  { name: 'an immutable config map', method: 'POST', path: `${CORE}/configmaps`, body: { ...configMap('fixed', { a: 'b' }), immutable: true } },
  { name: 'an immutable config map is changed', method: 'PATCH', path: `${CORE}/configmaps/fixed`, headers: MERGE, body: { data: { a: 'c' } } },
  { name: 'an immutable config map is made mutable', method: 'PATCH', path: `${CORE}/configmaps/fixed`, headers: MERGE, body: { immutable: null } },
  { name: 'a secret that is not base64', method: 'POST', path: `${CORE}/secrets`, body: { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'plain' }, data: { a: '$$$' } }, compare: reasonOnly },
  { name: 'secrets by type', method: 'GET', path: `${CORE}/secrets?fieldSelector=type%3DOpaque`, compare: names },
  { name: 'a service account', method: 'POST', path: `${CORE}/serviceaccounts`, body: { metadata: { name: 'robot' } } },
  { name: 'namespaces as a table', method: 'GET', path: `/api/v1/namespaces?fieldSelector=metadata.name%3D${NAMESPACE}`, headers: TABLE },
  { name: 'a lease made by replacing', method: 'PUT', path: `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/leader`, body: { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'leader' }, spec: { holderIdentity: 'a', leaseDurationSeconds: 15 } } },
  { name: 'a lease with no time', method: 'POST', path: `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases`, body: { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'short' }, spec: { holderIdentity: 'a', leaseDurationSeconds: 0 } } },
];

const EVENT = {
  apiVersion: 'events.k8s.io/v1',
  kind: 'Event',
  metadata: { name: 'one.1' },
  eventTime: '2026-01-02T03:04:05.000006Z',
  reportingController: 'dataward.io/test',
  reportingInstance: 'test-1',
  action: 'Look',
  reason: 'Looked',
  type: 'Normal',
  note: 'looked at it',
  regarding: { apiVersion: 'test.dataward.io/v1alpha1', kind: 'Widget', name: 'one', namespace: NAMESPACE },
};
const EVENTS = `/apis/events.k8s.io/v1/namespaces/${NAMESPACE}/events`;

const EVENTING: ApiRequestCase[] = [
  { name: 'an event', method: 'POST', path: EVENTS, body: EVENT },
  { name: 'the event in the older form', method: 'GET', path: `${CORE}/events/one.1` },
  { name: 'events about one object', method: 'GET', path: `${CORE}/events?fieldSelector=involvedObject.name%3Done%2CinvolvedObject.kind%3DWidget`, compare: names },
  { name: 'events about another object', method: 'GET', path: `${CORE}/events?fieldSelector=involvedObject.name%3Dtwo`, compare: names },
  { name: 'an event in the older form', method: 'POST', path: `${CORE}/events`, body: { metadata: { name: 'old.1' }, involvedObject: { kind: 'Widget', name: 'one', namespace: NAMESPACE }, reason: 'Old', message: 'as before', type: 'Normal', count: 2 } },
  { name: 'the older event in the newer form', method: 'GET', path: `${EVENTS}/old.1` },
  { name: 'events by reason in the newer form', method: 'GET', path: `${EVENTS}?fieldSelector=reason%3DOld`, compare: names },
  { name: 'a series is noted', method: 'PATCH', path: `${EVENTS}/one.1`, headers: MERGE, body: { series: { count: 2, lastObservedTime: '2026-01-02T03:05:05.000006Z' } } },
  { name: 'events as a table', method: 'GET', path: `${CORE}/events?fieldSelector=involvedObject.name%3Done%2Creason%3DLooked`, headers: TABLE, compare: (body) => (body as { columnDefinitions: { name: string }[]; rows: { cells: unknown[] }[] }).columnDefinitions.map(({ name }) => name) },
  { name: 'an event without an action', method: 'POST', path: EVENTS, body: { ...EVENT, metadata: { name: 'one.2' }, action: '' }, compare: reasonOnly },
  { name: 'an event in another namespace than its object', method: 'POST', path: EVENTS, body: { ...EVENT, metadata: { name: 'one.3' }, regarding: { ...EVENT.regarding, namespace: 'default' } }, compare: reasonOnly },
];

const INGRESSES = `/apis/networking.k8s.io/v1/namespaces/${NAMESPACE}/ingresses`;
const WEB = { service: { name: 'web', port: { number: 80 } } };
const everyPath = { http: { paths: [{ path: '/', pathType: 'Prefix', backend: WEB }] } };
const ingress = (name: string, spec: object, rest: object = {}): object => ({ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { name }, spec, ...rest });
const SHOP = { ingressClassName: 'nginx', tls: [{ hosts: ['shop.example.com'], secretName: 'shop' }], rules: [{ host: 'shop.example.com', ...everyPath }] };

const INGRESS: ApiRequestCase[] = [
  { name: 'what there is of networking', method: 'GET', path: '/apis/networking.k8s.io/v1', compare: (body) => (body as { resources: { name: string; shortNames?: string[]; verbs: string[] }[] }).resources.filter(({ name }) => name.startsWith('ingresses')).map(({ name, shortNames, verbs }) => [name, shortNames, verbs.toSorted()]) },
  { name: 'an ingress, with a status that is not taken', method: 'POST', path: INGRESSES, body: ingress('shop', SHOP, { status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } } }) },
  { name: 'its status is written', method: 'PATCH', path: `${INGRESSES}/shop/status`, headers: MERGE, body: { spec: { ingressClassName: 'other' }, status: { loadBalancer: { ingress: [{ ip: '192.0.2.7', ports: [{ port: 8443, protocol: 'TCP' }] }, { hostname: 'lb.example.com' }] } } } },
  { name: 'a status with an address that is none', method: 'PATCH', path: `${INGRESSES}/shop/status`, headers: MERGE, body: { status: { loadBalancer: { ingress: [{ ip: 'lb.example.com' }] } } } },
  { name: 'its spec is written, and not its status', method: 'PATCH', path: `${INGRESSES}/shop`, headers: STRATEGIC, body: { spec: { tls: [{ secretName: 'all' }] }, status: { loadBalancer: {} } } },
  { name: 'an ingress with a default backend only', method: 'POST', path: INGRESSES, body: ingress('rest', { defaultBackend: WEB }) },
  { name: 'an ingress of four hosts', method: 'POST', path: INGRESSES, body: ingress('many', { rules: ['a', 'b', '*.c', 'd'].map((host) => ({ host: `${host}.example.com`, ...everyPath })) }) },
  { name: 'ingresses as a table', method: 'GET', path: INGRESSES, headers: TABLE },
  { name: 'an ingress that lets nothing in', method: 'POST', path: INGRESSES, body: ingress('none', {}) },
  { name: 'an ingress for an address', method: 'POST', path: INGRESSES, body: ingress('address', { rules: [{ host: '192.0.2.1', ...everyPath }] }) },
  { name: 'an ingress for a host that is none', method: 'POST', path: INGRESSES, body: ingress('odd', { tls: [{ hosts: ['a_b'] }], rules: [{ host: 'x.*.example.com', ...everyPath }] }) },
  { name: 'an ingress of an unknown kind of path', method: 'POST', path: INGRESSES, body: ingress('kind', { rules: [{ http: { paths: [{ path: '/', pathType: 'Regex', backend: WEB }] } }] }) },
  { name: 'an ingress without a kind of path', method: 'POST', path: INGRESSES, body: ingress('nokind', { rules: [{ http: { paths: [{ path: '/', backend: WEB }] } }] }) },
  { name: 'an ingress of a path that goes up', method: 'POST', path: INGRESSES, body: ingress('up', { rules: [{ http: { paths: [{ path: '/a/../b', pathType: 'Prefix', backend: WEB }, { path: 'b', pathType: 'Exact', backend: WEB }] } }] }) },
  { name: 'an ingress that leads nowhere', method: 'POST', path: INGRESSES, body: ingress('nowhere', { defaultBackend: {}, rules: [{ http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web' } } }] } }] }) },
  { name: 'an ingress is deleted', method: 'DELETE', path: `${INGRESSES}/rest` },
];

const ENDING: ApiRequestCase[] = [
  { name: 'delete a collection', method: 'DELETE', path: `${WIDGETS}?fieldSelector=metadata.name%3Dloose` },
  { name: 'the collection is gone', method: 'GET', path: `${WIDGETS}/loose` },
  { name: 'delete the namespace', method: 'DELETE', path: `/api/v1/namespaces/${NAMESPACE}`, compare: (body) => (body as { status: { phase?: string } }).status.phase, settleMs: 50 },
];

/** The table: sent in this order to a fresh server that knows the Widget CRD. */
export const REQUESTS: readonly ApiRequestCase[] = [
  ...DISCOVERY, ...NAMESPACES, ...CREATING, ...EDGES, ...UPDATING, ...PATCHING, ...LISTING, ...WATCHING, ...DELETING, ...OWNING, ...BUILT_IN, ...EVENTING, ...INGRESS, ...ENDING,
];
