import { randomUUID } from 'node:crypto';
import { formatTime } from '../api/conditions.ts';
import { alreadyExists, badRequest, invalid } from './errors.ts';
import { generatedName } from './metadata.ts';
import type { StoredObject } from './object.ts';
import { admit, checkNamespace, checkNamespaceIsActive, checkObject, receive, withNamespace } from './write-rules.ts';
import type { WriteContext, WriteRequest } from './write-rules.ts';

/** Stores a new object and returns it. Throws the API server's error when it cannot be. */
export function createObject(context: WriteContext, request: WriteRequest, body: unknown): StoredObject {
  const { kind, namespace } = request;
  const received = receive(context, request, body, '');
  checkNamespace(request, received);
  const prepared = withNamespace(received, namespace);
  const { resourceVersion, deletionTimestamp: _deletion, generation: _generation, ...given } = prepared.metadata;
  if (resourceVersion !== undefined && resourceVersion !== '') {
    throw badRequest('resourceVersion should not be set on objects to be created');
  }
  const prefix = (given as { generateName?: string }).generateName ?? '';
  let name = given.name ?? '';
  if (name === '' && prefix === '') {
    throw invalid(kind.ref, '', [{ path: 'metadata.name', type: 'FieldValueRequired', message: 'Required value: name or generateName is required' }]);
  }
  if (name === '') {
    do name = generatedName(prefix);
    while (context.store.get(kind.collection, namespace, name) !== undefined);
  }
  const { status: _status, ...withoutStatus } = prepared;
  const object = {
    ...(kind.hasStatus ? withoutStatus : prepared),
    metadata: {
      ...given,
      name,
      uid: randomUUID(),
      creationTimestamp: formatTime(context.now()),
      ...(kind.hasGeneration ? { generation: 1 } : {}),
    },
  } as StoredObject;
  const completed = kind.complete(object);
  checkNamespaceIsActive(context, request, name);
  checkObject(context, request, completed);
  admit(context, request, 'CREATE', completed, undefined);
  if (context.store.get(kind.collection, namespace, name) !== undefined) throw alreadyExists(kind.ref, name);
  return request.dryRun ? completed : context.store.put(kind.collection, completed);
}
