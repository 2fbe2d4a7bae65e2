import type { IncomingMessage, ServerResponse } from 'node:http';
import { KUBERNETES_VERSION, discovery } from './discovery.ts';
import { StatusError, methodNotAllowed, noSuchPath, unauthorized } from './errors.ts';
import { failureAnswer, mediaType, readBytes, readJson, send } from './http.ts';
import type { Answer } from './http.ts';
import type { KindRegistry } from './kinds.ts';
import { openApiDocuments, openApiIndex } from './openapi.ts';
import { answerResource } from './resources.ts';
import type { ResourceContext } from './resources.ts';
import { decodeReview } from './review-protobuf.ts';
import { answerReview, isReview } from './reviews.ts';
import { parseRoute } from './route.ts';

/** Only there to read the paths of requests by. */
const ORIGIN = 'https://localhost';
/** Paths that tell nothing and are answered to everyone, so that a supervisor can probe them. */
const OPEN_PATHS = new Set(['/healthz', '/readyz', '/livez', '/version']);

/** The only form kubectl takes; a document of no bytes is one that describes nothing. */
const OPENAPI_V2 = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

/** Answers what is not a resource: health, version, discovery and schemas. */
function answerFixed(kinds: KindRegistry, documents: ReadonlyMap<string, object>, index: object, path: string): Answer | undefined {
  if (OPEN_PATHS.has(path)) return { code: 200, body: path === '/version' ? KUBERNETES_VERSION : 'ok' };
  // kubectl asks for it where it meets a kind it does not know; without an answer it complains of that, not of the kind.
  if (path === '/openapi/v2') return { code: 200, body: '', contentType: OPENAPI_V2 };
  if (path === '/openapi/v3') return { code: 200, body: index };
  const body = path.startsWith('/openapi/v3/') ? documents.get(path.slice('/openapi/v3/'.length)) : discovery(kinds, path);
  return body === undefined ? undefined : { code: 200, body };
}

/** What answers each HTTP request: who asks, then what for. */
export function requestListener(context: ResourceContext): (incoming: IncomingMessage, response: ServerResponse) => void {
  const documents = openApiDocuments(context.kinds);
  const index = openApiIndex(documents);

  const answer = async (incoming: IncomingMessage, response: ServerResponse): Promise<Answer | undefined> => {
    const target = incoming.url ?? '/';
    if (!URL.canParse(target, ORIGIN)) throw noSuchPath();
    const { pathname, searchParams } = new URL(target, ORIGIN);
    const path = pathname.length > 1 ? pathname.replace(/\/$/, '') : pathname;
    const token = /^Bearer\s+(.+)$/i.exec(incoming.headers.authorization ?? '')?.[1] ?? '';
    const user = context.users.authenticate(token);
    if (user === undefined && !OPEN_PATHS.has(path)) throw unauthorized();
    const isRead = incoming.method === 'GET' || incoming.method === 'HEAD';
    const fixed = answerFixed(context.kinds, documents, index, path);
    if (fixed !== undefined) {
      if (!isRead) throw methodNotAllowed();
      return fixed;
    }
    const route = parseRoute(path);
    if (route === undefined || user === undefined) throw noSuchPath();
    if (Object.keys(incoming.headers).some((name) => name.startsWith('impersonate-'))) {
      throw new StatusError(403, 'Forbidden', 'impersonation is not possible here; use the kubeconfig of the other user');
    }
    if (isReview(route.group, route.version, route.plural)) {
      if (incoming.method !== 'POST') throw methodNotAllowed();
      const isProtobuf = mediaType(incoming) === 'application/vnd.kubernetes.protobuf';
      const review = isProtobuf ? decodeReview(await readBytes(incoming)) : await readJson(incoming, ['application/json']);
      return { code: 201, body: answerReview(route.plural, review, user, context.users) };
    }
    return answerResource(context, { route, query: searchParams, user, incoming, response });
  };

  return (incoming, response) => {
    answer(incoming, response).catch(failureAnswer).then((result) => {
      if (result !== undefined) send(response, result);
    }).catch(() => response.destroy());
  };
}
