import type { RuntimeMetrics } from '../telemetry/runtime-metrics.ts';
import { ApiError } from './api-error.ts';
import { backoffMs } from './backoff.ts';
import { sleep } from './clock.ts';
import type { Clock } from './clock.ts';
import { createRateLimiter } from './rate-limit.ts';
import type { HttpAnswer, HttpRequest, HttpStream, Transport } from './transport.ts';

/** A request in the words of the Kubernetes API. */
export interface Call {
  /** `get`, `list`, `watch` ...: the metric label. */
  verb: string;
  method: HttpRequest['method'];
  path: string;
  body?: string;
  contentType?: string;
  description: string;
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
  repeat: Repeat;
}

/**
 * When a call may be sent again: `never`; `refused`, if the server said it did not begin (429) or did not know us (401);
 * `lost`, also after a lost connection or a server error, which is for calls that are the same done twice.
 */
export type Repeat = 'never' | 'refused' | 'lost';

/** Sends calls with rate limit, retries and metrics, and turns bad answers into ApiErrors. */
export interface Requester {
  json<T>(call: Call): Promise<T>;
  /** Opens a stream; rejects for an answer that is not 200. Never tries again. */
  stream(call: Call & { timeoutMs: number; idleMs: number }): Promise<HttpStream>;
}

export interface RequesterOptions {
  clock: Clock;
  random: () => number;
  metrics: RuntimeMetrics | undefined;
  qps: number;
  burst: number;
}

const TIMEOUT_MS = 30_000;
const MAX_TRIES = 5;
const RETRY_BACKOFF = { baseMs: 100, maxMs: 5_000 };
/** A server that asks for a longer wait is left to the caller's own back-off: a worker must not sleep for an hour. */
const MAX_RETRY_AFTER_MS = 30_000;
const NOT_KUBERNETES = 'what answers is not a Kubernetes API';

export function createRequester(transport: Transport, options: RequesterOptions): Requester {
  const { clock, metrics } = options;
  const limiter = createRateLimiter(options);
  const host = transport.host;

  const once = async <R extends { status: number }>(call: Call, send: () => Promise<R>, timed: boolean): Promise<R> => {
    const waitedMs = await limiter.take(call.signal);
    metrics?.rateLimiterSeconds.observe({ verb: call.verb, host }, waitedMs / 1000);
    const startedAt = clock.monotonic();
    try {
      const answer = await send();
      metrics?.restRequests.inc({ code: String(answer.status), method: call.method, host });
      return answer;
    } catch (error) {
      metrics?.restRequests.inc({ code: '<error>', method: call.method, host });
      throw error;
    } finally {
      if (timed) metrics?.restSeconds.observe({ verb: call.verb, host }, (clock.monotonic() - startedAt) / 1000);
    }
  };

  const tryOnce = async <T>(call: Call): Promise<T> => {
    const answer = await once(call, () => transport.send(toHttp(call, call.timeoutMs ?? TIMEOUT_MS)), true);
    if (answer.status >= 300) throw errorFrom(answer, call.description, clock.now());
    return parse<T>(answer.body, call.description);
  };

  return {
    async json<T>(call: Call): Promise<T> {
      for (let attempt = 0; ; attempt += 1) {
        try {
          return await tryOnce<T>(call);
        } catch (error) {
          if (!(error instanceof ApiError) || attempt + 1 >= MAX_TRIES || call.signal?.aborted === true || !mayRepeat(error, call, attempt)) throw error;
          metrics?.restRetries.inc({ code: error.status === 0 ? '<error>' : String(error.status), verb: call.verb, host });
          await sleep(clock, Math.max(error.retryAfterMs ?? 0, backoffMs(attempt, RETRY_BACKOFF, options.random)), call.signal);
        }
      }
    },
    async stream(call) {
      const answer = await once(call, () => transport.stream({ ...toHttp(call, call.timeoutMs), idleMs: call.idleMs }), false);
      if (answer.status === 200) return answer;
      throw errorFrom({ status: answer.status, headers: answer.headers, body: await answer.text() }, call.description, clock.now());
    },
  };
}

function toHttp(call: Call, timeoutMs: number): HttpRequest {
  const { method, path, description, signal } = call;
  return {
    method,
    path,
    description,
    signal,
    timeoutMs,
    ...(call.body === undefined ? {} : { body: call.body }),
    ...(call.contentType === undefined ? {} : { contentType: call.contentType }),
  };
}

/** A 401 is tried once more only: the token in hand may have been rotated, but a wrong one stays wrong. */
function mayRepeat(error: ApiError, call: Call, attempt: number): boolean {
  if (call.repeat === 'never' || (error.retryAfterMs ?? 0) > MAX_RETRY_AFTER_MS) return false;
  if (error.status === 429) return true;
  if (error.status === 401) return attempt === 0;
  if (call.repeat !== 'lost') return false;
  return error.status >= 500 || error.reason === 'NetworkError' || error.reason === 'StaleConnection';
}

function parse<T>(body: string, description: string): T {
  try {
    return JSON.parse(body) as T;
  } catch {
    // The text is not quoted: it may hold a Secret.
    throw new ApiError({ status: 0, reason: 'BadAnswer', message: `${description}: ${NOT_KUBERNETES}` });
  }
}

/** The ApiError for an answer of 300 and above, from its `Status` body when it has one. `now` is epoch milliseconds. */
function errorFrom(answer: HttpAnswer, description: string, now: number): ApiError {
  const status = readStatus(answer.body) ?? withoutStatus(answer);
  const retryAfterMs = readRetryAfter(answer.headers['retry-after'], now) ?? (typeof status.details?.retryAfterSeconds === 'number' ? status.details.retryAfterSeconds * 1000 : undefined);
  return new ApiError({
    status: answer.status,
    reason: status.reason ?? reasonOf(answer.status),
    message: `${description}: ${status.message ?? 'no explanation'} (HTTP ${answer.status})`,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

interface StatusBody {
  reason?: string;
  message?: string;
  details?: { retryAfterSeconds?: number };
}

/** What an answer says that is no Status: where the way to the API server leads elsewhere, or ends at a path it does not have. */
function withoutStatus({ status, headers }: HttpAnswer): StatusBody {
  if (headers['content-type']?.includes('html') === true) return { reason: 'BadAnswer', message: NOT_KUBERNETES };
  // In plain text, as every server of Go answers for a path it does not have.
  return status === 404 ? { reason: 'NotServed', message: 'the API server does not have this kind' } : {};
}

function readStatus(body: string): StatusBody | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed !== 'object' || parsed === null || !('kind' in parsed) || parsed.kind !== 'Status') return undefined;
    const { reason, message, details } = parsed as Record<string, unknown>;
    return {
      ...(typeof reason === 'string' && reason !== '' ? { reason } : {}),
      ...(typeof message === 'string' && message !== '' ? { message: message.slice(0, 2_000) } : {}),
      ...(typeof details === 'object' && details !== null ? { details: details as { retryAfterSeconds?: number } } : {}),
    };
  } catch {
    return undefined;
  }
}

/** Milliseconds of a Retry-After header in seconds or as a date; undefined when it is absent or unreadable. */
export function readRetryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

function reasonOf(status: number): string {
  const words: Record<number, string> = { 400: 'BadRequest', 401: 'Unauthorized', 403: 'Forbidden', 404: 'NotFound', 409: 'Conflict', 410: 'Gone', 422: 'Invalid', 429: 'TooManyRequests', 503: 'ServiceUnavailable', 504: 'Timeout' };
  return words[status] ?? (status >= 500 ? 'InternalError' : 'Unknown');
}
