type Json = Record<string, unknown>;

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function pick(object: Json, ...names: string[]): Json {
  return Object.fromEntries(names.filter((name) => name in object).map((name) => [name, object[name]]));
}

/** Server-made values count as being there or not; everything else as it is. */
function metadata(value: unknown): Json {
  const object = isJson(value) ? value : {};
  const present = ['uid', 'resourceVersion', 'creationTimestamp', 'deletionTimestamp'].filter((name) => Boolean(object[name]));
  const owners = Array.isArray(object['ownerReferences']) ? object['ownerReferences'].length : 0;
  return {
    ...pick(object, 'name', 'namespace', 'labels', 'annotations', 'finalizers', 'generation'),
    present,
    ...(owners > 0 && { owners }),
  };
}

function status(body: Json): Json {
  const details = isJson(body['details']) ? body['details'] : {};
  // `<nil>` is a notice that not every rule was looked at; how often it comes is not agreed even among real versions.
  const causes = (Array.isArray(details['causes']) ? details['causes'] : [])
    .filter(isJson)
    .filter((cause) => cause['field'] !== '<nil>')
    .map((cause) => JSON.stringify(pick(cause, 'reason', 'field')));
  return {
    ...pick(body, 'kind', 'apiVersion', 'status', 'reason', 'code'),
    details: { ...pick(details, 'name', 'group', 'kind'), causes: [...new Set(causes)].sort() },
  };
}

/** Ages differ by when the table is run. */
function cell(value: unknown): unknown {
  return typeof value === 'string' && /^(\d+[smhdy])+$/.test(value) ? '<age>' : value;
}

function table(body: Json): Json {
  const columns = (body['columnDefinitions'] as Json[]).map((column) => pick(column, 'name', 'type', 'format', 'priority'));
  const rows = (body['rows'] as Json[]).map((row) => ({
    cells: (row['cells'] as unknown[]).map(cell),
    object: isJson(row['object']) ? pick(row['object'], 'kind', 'apiVersion') : row['object'] ?? null,
  }));
  return { kind: 'Table', apiVersion: body['apiVersion'], columns, rows };
}

function list(body: Json): Json {
  const meta = isJson(body['metadata']) ? body['metadata'] : {};
  return {
    ...pick(body, 'kind', 'apiVersion'),
    metadata: { hasContinue: Boolean(meta['continue']), hasVersion: Boolean(meta['resourceVersion']), ...pick(meta, 'remainingItemCount') },
    items: (body['items'] as Json[]).map(project),
  };
}

function discoveryResource(resource: Json): Json {
  const { verbs, ...rest } = pick(resource, 'name', 'singularName', 'namespaced', 'kind', 'shortNames', 'categories', 'verbs');
  return { ...rest, verbs: Array.isArray(verbs) ? verbs.toSorted() : [] };
}

/** Typed Go objects show some fields that were never set as null, {} or an empty text. */
function withoutZeros(object: Json): Json {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null && value !== '' && !(isJson(value) && Object.keys(value).length === 0)));
}

/** What two API servers must agree on about an answer's body; times, versions and identities are left out. */
export function project(value: unknown): unknown {
  if (!isJson(value)) return value;
  if (value['kind'] === 'Status') return status(value);
  if (value['kind'] === 'Table') return table(value);
  if (value['kind'] === 'APIResourceList') {
    return { ...pick(value, 'kind', 'groupVersion'), resources: (value['resources'] as Json[]).map(discoveryResource) };
  }
  if (Array.isArray(value['items'])) return list(value);
  if ('type' in value && 'object' in value) {
    const object = value['object'];
    if (value['type'] === 'BOOKMARK' && isJson(object)) return { type: 'BOOKMARK', object: pick(object, 'kind', 'apiVersion') };
    return { type: value['type'], object: project(object) };
  }
  const { metadata: meta, ...rest } = value;
  return { ...withoutZeros(rest), ...(meta !== undefined && { metadata: metadata(meta) }) };
}
