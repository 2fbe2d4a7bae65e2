import type { IncomingMessage, ServerResponse } from 'node:http';
import { StatusError, badRequest, statusBody, unsupportedMediaType } from './errors.ts';

/** The largest body a write may have, as in a real API server. */
const MAX_BODY_BYTES = 3 * 1024 * 1024;

/** An answer that is ready to be written. */
export interface Answer {
  code: number;
  body: object | string;
  /** Of a body that is text; plain text when left out. */
  contentType?: string;
  /** Shown to the user by kubectl, next to the result. */
  warnings?: readonly string[];
}

/** The whole body. Throws 413 when it is too large. */
export async function readBytes(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) {
      throw new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${MAX_BODY_BYTES}`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export async function readBody(request: IncomingMessage): Promise<string> {
  return (await readBytes(request)).toString('utf8');
}

/** The media type without its parameters; JSON when the header is absent. */
export function mediaType(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? 'application/json').split(';')[0]?.trim().toLowerCase() ?? '';
}

/** A member of this name would become the prototype of whatever it is copied into: fields that no rule looks at. */
function refusePrototype(name: string, value: unknown): unknown {
  if (name === '__proto__') throw badRequest('the body of the request has a field __proto__, which no object here has');
  return value;
}

/** Reads JSON. Throws 400 without repeating the text: it may hold a Secret. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text, refusePrototype);
  } catch (error) {
    if (error instanceof StatusError) throw error;
    throw badRequest('the body of the request is not valid JSON');
  }
}

/** The body of a request that must carry JSON of one of these media types. Throws 400, 413 or 415. */
export async function readJson(request: IncomingMessage, accepted: readonly string[]): Promise<unknown> {
  const text = await readBody(request);
  if (!accepted.includes(mediaType(request))) throw unsupportedMediaType(accepted);
  return parseJson(text);
}

function header(text: string): string {
  return `299 - "${text.replaceAll(/[\\"]/g, '\\$&').replaceAll(/[^\x20-\x7e]/g, '?')}"`;
}

export function send(response: ServerResponse, { code, body, contentType, warnings }: Answer): void {
  if (response.headersSent || response.destroyed) return;
  const isText = typeof body === 'string';
  const content = Buffer.from(isText ? body : JSON.stringify(body));
  response.writeHead(code, {
    'Content-Type': isText ? (contentType ?? 'text/plain; charset=utf-8') : 'application/json',
    'Content-Length': content.length,
    'Cache-Control': 'no-cache, private',
    ...(warnings !== undefined && warnings.length > 0 && { Warning: warnings.map(header) }),
    // A body that was not read to its end would be taken for the next request on this connection.
    ...(code === 413 && { Connection: 'close' }),
  });
  response.end(content);
}

/** The answer to a failure. What is not a StatusError is ours to repair: 500, and its text stays inside. */
export function failureAnswer(error: unknown): Answer {
  if (error instanceof StatusError) return { code: error.code, body: statusBody(error) };
  return { code: 500, body: statusBody(new StatusError(500, 'InternalError', 'Internal error occurred: the request could not be carried out')) };
}
