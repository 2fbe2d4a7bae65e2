import { noSuchPath } from './errors.ts';
import type { KindRegistry, ServedKind } from './kinds.ts';

/** What a resource URL names. */
export interface Route {
  group: string;
  version: string;
  plural: string;
  namespace?: string;
  name?: string;
  subresource?: string;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw noSuchPath();
  }
}

/** Reads `/api/v1/...` and `/apis/<group>/<version>/...`; undefined for a path that is not below a version. */
export function parseRoute(path: string): Route | undefined {
  const parts = path.split('/').filter((part) => part !== '').map(decoded);
  const core = parts[0] === 'api';
  if (!core && parts[0] !== 'apis') return undefined;
  const [group, version] = core ? ['', parts[1]] : [parts[1], parts[2]];
  const rest = parts.slice(core ? 2 : 3);
  if (group === undefined || version === undefined || rest.length === 0) return undefined;
  const isNamespaced = rest[0] === 'namespaces' && rest.length > 2 && rest[2] !== 'status' && rest[2] !== 'finalize';
  const [plural = '', name, subresource, ...more] = isNamespaced ? rest.slice(2) : rest;
  if (more.length > 0) return undefined;
  return {
    group,
    version,
    plural,
    ...(isNamespaced && rest[1] !== undefined && { namespace: rest[1] }),
    ...(name !== undefined && { name }),
    ...(subresource !== undefined && { subresource }),
  };
}

/** The kind behind a route. Throws 404 for an unknown kind or subresource, or a scope that does not fit the kind. */
export function kindOf(kinds: KindRegistry, route: Route): ServedKind {
  const kind = kinds.find(route.group, route.version, route.plural);
  if (kind === undefined) throw noSuchPath();
  if (route.subresource !== undefined && !(route.subresource === 'status' && kind.hasStatus)) throw noSuchPath();
  const wrongScope = kind.ref.namespaced ? route.namespace === undefined && route.name !== undefined : route.namespace !== undefined;
  if (wrongScope) throw noSuchPath();
  return kind;
}

/** The RBAC verb of a request. */
export function verbOf(method: string, route: Route, isWatch: boolean): string {
  switch (method) {
    case 'GET':
    case 'HEAD':
      return isWatch ? 'watch' : route.name === undefined ? 'list' : 'get';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return route.name === undefined ? 'deletecollection' : 'delete';
    default:
      return method.toLowerCase();
  }
}
