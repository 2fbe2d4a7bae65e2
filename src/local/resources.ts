import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AuthorizationCheck } from '../api/validation/validator.ts';
import { createObject } from './create.ts';
import { deleteObject, parseDeleteOptions } from './deletion.ts';
import { StatusError, forbidden, invalid, methodNotAllowed, noSuchPath, notFound, unsupportedMediaType } from './errors.ts';
import { mediaType, parseJson, readBody, readJson } from './http.ts';
import type { Answer } from './http.ts';
import type { KindRegistry, ServedKind } from './kinds.ts';
import { listObjects } from './list.ts';
import type { StoredObject } from './object.ts';
import { jsonPatch, mergePatch } from './patch.ts';
import { negotiate, representList, representObject } from './representation.ts';
import { kindOf, verbOf } from './route.ts';
import type { Route } from './route.ts';
import { strategicMerge } from './strategic.ts';
import { userInfo } from './users.ts';
import type { LocalUser, Users } from './users.ts';
import { serveWatch } from './watch.ts';
import { updateObject } from './update.ts';
import type { FieldValidation, WriteContext, WriteRequest } from './write-rules.ts';

export interface ResourceContext extends WriteContext {
  kinds: KindRegistry;
  users: Users;
  bookmarkInterval: number;
  /** Knows every open watch, so that closing the server can end them. */
  watches: Set<() => void>;
}

/** One request for a resource, after authentication. */
export interface ResourceRequest {
  route: Route;
  query: URLSearchParams;
  user: LocalUser;
  incoming: IncomingMessage;
  response: ServerResponse;
}

function authorize(context: ResourceContext, { route, user }: ResourceRequest, kind: ServedKind, verb: string): void {
  const { namespace, name = '', subresource } = route;
  const check: AuthorizationCheck = { group: route.group, resource: route.plural, name, verb, ...(namespace && { namespace }), ...(subresource && { subresource }) };
  if (context.users.authorize(user.name, check)) return;
  const where = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`;
  throw forbidden(kind.ref, name, `User "${user.name}" cannot ${verb} resource "${route.plural}" in API group "${route.group}" ${where}`);
}

const WRITE_OPTIONS = { group: 'meta.k8s.io', version: 'v1', plural: 'options', kind: 'Options', namespaced: false };

function refuseOption(path: string, message: string): StatusError {
  return invalid(WRITE_OPTIONS, '', [{ path, type: 'FieldValueNotSupported', message }]);
}

function parseFieldValidation(query: URLSearchParams): FieldValidation {
  const value = query.get('fieldValidation') ?? '';
  if (value === '') return 'Warn';
  if (value === 'Strict' || value === 'Warn' || value === 'Ignore') return value;
  throw refuseOption('fieldValidation', `"${value}": supported values: "Ignore", "Strict", "Warn"`);
}

function parseDryRun(query: URLSearchParams): boolean {
  const values = query.getAll('dryRun').filter((value) => value !== '');
  if (values.some((value) => value !== 'All')) throw refuseOption('dryRun', `"${values.join(',')}": supported values: "All"`);
  return values.length > 0;
}

type Patch = (current: StoredObject) => unknown;

/** The change a PATCH body makes. Throws 415 for a type the kind does not take; custom kinds take no strategic merge. */
async function readPatch(kind: ServedKind, incoming: IncomingMessage): Promise<Patch> {
  const { mergeKeys } = kind;
  const text = await readBody(incoming);
  switch (mediaType(incoming)) {
    case 'application/merge-patch+json': {
      const patch = parseJson(text);
      return (current) => mergePatch(current, patch);
    }
    case 'application/json-patch+json': {
      const patch = parseJson(text);
      return (current) => jsonPatch(current, patch);
    }
    case 'application/strategic-merge-patch+json': {
      if (mergeKeys === undefined) break;
      const patch = parseJson(text);
      return (current) => strategicMerge(current, patch, mergeKeys);
    }
  }
  const accepted = ['application/json-patch+json', 'application/merge-patch+json'];
  throw unsupportedMediaType(mergeKeys === undefined ? accepted : [...accepted, 'application/strategic-merge-patch+json']);
}

/** Answers GET, POST, PUT, PATCH and DELETE of a resource; undefined when the answer is a watch that goes on by itself. */
export async function answerResource(context: ResourceContext, request: ResourceRequest): Promise<Answer | undefined> {
  const { route, query, user, incoming, response } = request;
  const kind = kindOf(context.kinds, route);
  const isWatch = ['true', '1'].includes(query.get('watch') ?? '');
  const verb = verbOf(incoming.method ?? '', route, isWatch);
  authorize(context, request, kind, verb);

  const warnings: string[] = [];
  const write: WriteRequest = {
    kind,
    user: userInfo(user),
    authorize: (check) => context.users.authorize(user.name, check),
    isPatch: verb === 'patch',
    dryRun: parseDryRun(query),
    fieldValidation: parseFieldValidation(query),
    warn: (text) => warnings.push(text),
    ...(route.namespace !== undefined && { namespace: route.namespace }),
    ...(route.subresource === 'status' && { subresource: 'status' as const }),
  };
  const representation = negotiate(incoming.headers.accept, query);
  const shown = (code: number, object: StoredObject): Answer => ({
    code,
    body: representObject(kind, kind.fromStored(object), representation, context.now()),
    warnings,
  });
  const { name, namespace } = route;
  const isRead = verb === 'get' || verb === 'list' || verb === 'watch';
  if (!isRead && name === undefined && kind.ref.namespaced && namespace === undefined) throw kind.custom ? noSuchPath() : methodNotAllowed();
  if (!isRead && !kind.writable) throw methodNotAllowed();

  switch (verb) {
    case 'get': {
      const object = context.store.get(kind.collection, namespace, name ?? '');
      if (object === undefined) throw notFound(kind.ref, name ?? '');
      return shown(200, object);
    }
    case 'list':
      return { code: 200, body: representList(kind, listObjects(context.store, kind, namespace, query), representation, context.now()) };
    case 'watch': {
      const { store, now, bookmarkInterval, watches } = context;
      const end = serveWatch(response, { store, kind, namespace, query: watchQuery(query, name), representation, now, bookmarkInterval });
      watches.add(end);
      response.on('close', () => watches.delete(end));
      return undefined;
    }
    case 'create':
      if (name !== undefined) throw methodNotAllowed();
      return shown(201, createObject(context, write, await readJson(incoming, ['application/json'])));
    case 'update': {
      const body = await readJson(incoming, ['application/json']);
      const exists = context.store.get(kind.collection, namespace, name ?? '') !== undefined;
      if (!exists && kind.createOnUpdate) return shown(201, createObject(context, write, body));
      return shown(200, updateObject(context, write, name ?? '', () => body));
    }
    case 'patch':
      return shown(200, updateObject(context, write, name ?? '', await readPatch(kind, incoming)));
    case 'delete':
    case 'deletecollection':
      return answerDeletion(context, write, request, shown);
    default:
      throw methodNotAllowed();
  }
}

/** A watch of one name is a watch of the collection that selects it. */
function watchQuery(query: URLSearchParams, name: string | undefined): URLSearchParams {
  if (name === undefined) return query;
  const narrowed = new URLSearchParams(query);
  narrowed.set('fieldSelector', `metadata.name=${name}`);
  return narrowed;
}

async function answerDeletion(
  context: ResourceContext,
  write: WriteRequest,
  { route, query, incoming }: ResourceRequest,
  shown: (code: number, object: StoredObject) => Answer,
): Promise<Answer> {
  const { kind } = write;
  if (route.subresource !== undefined) throw methodNotAllowed();
  const text = await readBody(incoming);
  if (text !== '' && mediaType(incoming) !== 'application/json') throw unsupportedMediaType(['application/json']);
  const options = parseDeleteOptions(text === '' ? undefined : parseJson(text), query);
  if (route.name !== undefined) {
    const { object, gone } = deleteObject(context, write, route.name, options);
    if (!gone) return shown(200, object);
    const { group, plural } = kind.ref;
    const details = { name: route.name, ...(group !== '' && { group }), kind: plural, uid: object.metadata.uid };
    return { code: 200, body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details } };
  }
  const { items, metadata } = listObjects(context.store, kind, route.namespace, query);
  for (const { metadata: { name } } of items) {
    try {
      deleteObject(context, write, name, options);
    } catch (error) {
      // Gone in the meantime is what was asked for; every other refusal ends the request as it does in a cluster.
      if (!(error instanceof StatusError) || error.code !== 404) throw error;
    }
  }
  return { code: 200, body: representList(kind, { items, metadata }, { form: 'Object', include: 'Object' }, context.now()) };
}
