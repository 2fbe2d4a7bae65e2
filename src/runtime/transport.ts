import http from 'node:http';
import https from 'node:https';
import type { IncomingMessage } from 'node:http';
import { errorMessage } from '../telemetry/redact.ts';
import { ApiError } from './api-error.ts';
import type { Authenticator } from './auth.ts';

export interface HttpRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query. */
  path: string;
  body?: string;
  contentType?: string;
  /** `get Lease kube-system/x`, for error messages. */
  description: string;
  signal?: AbortSignal | undefined;
  /** The whole exchange may take this long. */
  timeoutMs: number;
}

export interface HttpAnswer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: string;
}

export interface HttpStream {
  status: number;
  headers: http.IncomingHttpHeaders;
  /** The whole body, as of an answer that is not a stream. Read either this or `lines`. */
  text(): Promise<string>;
  /** The lines of the body; throws ApiError when the stream ends in the middle of one or the connection breaks. */
  lines: AsyncIterable<string>;
}

/** HTTP to one API server over one keep-alive agent. */
export interface Transport {
  readonly host: string;
  send(request: HttpRequest): Promise<HttpAnswer>;
  /** Opens a stream. `idleMs` without a byte ends it. */
  stream(request: HttpRequest & { idleMs: number }): Promise<HttpStream>;
  /** Closes all connections. */
  close(): void;
}

/** An answer whose head has arrived. */
interface Exchange {
  response: IncomingMessage;
  /** Tells that bytes arrived, for the idle limit. */
  touch: () => void;
  /** Ends the timers; must be called once the body is read or given up. */
  finish: () => void;
  /** The error to throw for what broke the exchange. */
  failure: (error: unknown) => ApiError;
}

/**
 * The kernel probes a silent connection after this long, then each second: with ten probes unanswered a peer that
 * vanished without a word (half-open connection) is noticed after 40 s, also under a watch that has nothing to say.
 */
const KEEPALIVE_PROBE_MS = 30_000;
/** Idle connections are closed before a server's own limit (Go: 90 s), or a request could be sent into a closing one. */
const IDLE_SOCKET_MS = 45_000;
const MAX_BODY_BYTES = 256 * 1024 * 1024;
const MAX_LINE_LENGTH = 32 * 1024 * 1024;

export function createTransport(auth: Authenticator, userAgent: string): Transport {
  const secure = auth.server.protocol === 'https:';
  const agentOptions = { keepAlive: true, keepAliveMsecs: KEEPALIVE_PROBE_MS, timeout: IDLE_SOCKET_MS, maxFreeSockets: 16 };
  const agent = secure ? new https.Agent(agentOptions) : new http.Agent(agentOptions);
  const basePath = auth.server.pathname.replace(/\/$/, '');

  /** Throws as an ApiError what Node throws for unusable certificates and header values. */
  const send = (options: https.RequestOptions, description: string): http.ClientRequest => {
    try {
      return secure ? https.request(options) : http.request(options);
    } catch (error) {
      throw networkError(description, error, false);
    }
  };

  /** Sends the request; resolves with the answer's head. The caller reads the body, then calls `finish`. */
  const open = async (request: HttpRequest & { idleMs?: number }): Promise<Exchange> => {
    const credentials = await auth.credentials().catch((error: unknown) => {
      // A missing token file or a failing exec plugin; its words may quote the credentials, so they are masked.
      throw new ApiError({ status: 0, reason: 'NoCredentials', message: `${request.description}: cannot get the credentials: ${errorMessage(error)}` });
    });
    const options: https.RequestOptions = {
      ...credentials.tls,
      agent: credentials.proxyAgent ?? agent,
      method: request.method,
      protocol: auth.server.protocol,
      hostname: auth.server.hostname.replace(/^\[|\]$/g, ''),
      port: auth.server.port === '' ? undefined : auth.server.port,
      path: `${basePath}${request.path}`,
      headers: {
        ...credentials.headers,
        accept: 'application/json',
        'user-agent': userAgent,
        ...(request.body === undefined ? {} : { 'content-type': request.contentType ?? 'application/json', 'content-length': Buffer.byteLength(request.body) }),
      },
    };
    return new Promise((resolve, reject) => {
      let stopped: ApiError | undefined;
      const outgoing = send(options, request.description);
      const failure = (error: unknown): ApiError => stopped ?? networkError(request.description, error, outgoing.reusedSocket);
      const stop = (reason: 'Timeout' | 'Aborted', message: string): void => {
        stopped ??= new ApiError({ status: 0, reason, message: `${request.description}: ${message}` });
        outgoing.destroy(stopped);
      };
      const onAbort = (): void => stop('Aborted', 'given up because its caller stopped');
      const deadline = setTimeout(() => stop('Timeout', `no complete answer within ${request.timeoutMs} ms`), request.timeoutMs);
      let idle: NodeJS.Timeout | undefined;
      const touch = (): void => {
        if (request.idleMs === undefined) return;
        if (idle !== undefined) clearTimeout(idle);
        idle = setTimeout(() => stop('Timeout', `silent for ${request.idleMs} ms`), request.idleMs);
      };
      const finish = (): void => {
        clearTimeout(deadline);
        if (idle !== undefined) clearTimeout(idle);
        request.signal?.removeEventListener('abort', onAbort);
      };
      outgoing.on('socket', (socket) => socket.setKeepAlive(true, KEEPALIVE_PROBE_MS));
      outgoing.on('error', (error) => {
        finish();
        reject(failure(error));
      });
      outgoing.on('response', (response) => {
        resolve({ response, touch, finish, failure });
      });
      if (request.signal?.aborted === true) onAbort();
      else request.signal?.addEventListener('abort', onAbort, { once: true });
      touch();
      outgoing.end(request.body);
    });
  };

  return {
    host: auth.server.host,
    async send(request) {
      const exchange = await open(request);
      const { response } = exchange;
      if (response.statusCode === 401) auth.invalidate();
      return { status: response.statusCode ?? 0, headers: response.headers, body: await readBody(exchange, request.description) };
    },
    async stream(request) {
      const exchange = await open(request);
      const { response } = exchange;
      if (response.statusCode === 401) auth.invalidate();
      return { status: response.statusCode ?? 0, headers: response.headers, text: () => readBody(exchange, request.description), lines: readLines(exchange, request.description) };
    },
    close: () => agent.destroy(),
  };
}

async function readBody({ response, touch, finish, failure }: Exchange, description: string): Promise<string> {
  try {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      touch();
      size += chunk.length;
      if (size > MAX_BODY_BYTES) throw new ApiError({ status: 0, reason: 'TooLarge', message: `${description}: the answer is larger than 256 MiB` });
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  } catch (error) {
    response.destroy();
    throw failure(error);
  } finally {
    finish();
  }
}

async function* readLines({ response, touch, finish, failure }: Exchange, description: string): AsyncGenerator<string> {
  let rest = '';
  try {
    response.setEncoding('utf8');
    for await (const chunk of response as AsyncIterable<string>) {
      touch();
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > MAX_LINE_LENGTH) throw new ApiError({ status: 0, reason: 'TooLarge', message: `${description}: a line is longer than 32 MiB` });
      for (const line of lines) if (line !== '') yield line;
    }
  } catch (error) {
    throw failure(error);
  } finally {
    // Also reached when the reader breaks off: a watch left open would hold its socket for minutes.
    finish();
    response.destroy();
  }
  if (rest.trim() !== '') throw new ApiError({ status: 0, reason: 'Truncated', message: `${description}: the stream ended in the middle of a line` });
}

function networkError(description: string, cause: unknown, reusedSocket: boolean): ApiError {
  if (cause instanceof ApiError) return cause;
  const { code, name } = Object(cause) as Partial<NodeJS.ErrnoException>;
  const reason = reusedSocket && code === 'ECONNRESET' ? 'StaleConnection' : 'NetworkError';
  return new ApiError({ status: 0, reason, message: `${description}: no answer from the API server (${code ?? name ?? 'unknown'})`, cause });
}
