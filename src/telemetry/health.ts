import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import { errorMessage } from './redact.ts';

/** A named check: returns nothing when well, a sentence or a thrown error when not. */
export type HealthCheck = () => string | undefined | void | Promise<string | undefined | void>;
export type HealthChecks = Readonly<Record<string, HealthCheck>>;

export interface HealthOptions {
  host: string;
  /** 0 picks a free one. */
  port: number;
  registry: Registry;
  /** Failing here gets the process restarted: only what a restart mends. */
  live?: HealthChecks;
  /** Failing here takes the process out of service. */
  ready?: HealthChecks;
  /** A check that takes longer has failed, so that a hung one cannot hang the probe. */
  checkTimeoutMs?: number;
}

export interface HealthServer {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Serves `/healthz`, `/readyz` (both with `?verbose`) and `/metrics`. Rejects when the address cannot be used. */
export async function startHealthServer(options: HealthOptions): Promise<HealthServer> {
  const server = createServer((request, response) => {
    answer(request, response, options).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain' });
      response.end(`${errorMessage(error)}\n`);
    });
  });
  // Clients pool idle connections for 90 s; closing earlier than they do makes their next request fail.
  server.keepAliveTimeout = 125_000;
  server.headersTimeout = 130_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return {
    host: options.host,
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, options: HealthOptions): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, 'only GET is served here\n');
  if (url.pathname === '/metrics') {
    const text = await options.registry.metrics();
    return send(response, 200, text, options.registry.contentType);
  }
  const checks = url.pathname === '/healthz' || url.pathname === '/livez' ? (options.live ?? {}) : url.pathname === '/readyz' ? (options.ready ?? {}) : undefined;
  if (checks === undefined) return send(response, 404, 'not found; try /healthz, /readyz or /metrics\n');
  const lines = await runChecks(checks, options.checkTimeoutMs ?? 2_000);
  const failed = lines.some((line) => !line.ok);
  const body = failed || url.searchParams.has('verbose') ? lines.map((line) => `${line.ok ? '[+]' : '[-]'}${line.name} ${line.text}\n`).join('') : '';
  return send(response, failed ? 503 : 200, `${body}${failed ? 'not ok' : 'ok'}\n`);
}

interface CheckLine {
  name: string;
  ok: boolean;
  text: string;
}

async function runChecks(checks: HealthChecks, timeoutMs: number): Promise<CheckLine[]> {
  return Promise.all(
    Object.entries(checks).map(async ([name, check]) => {
      try {
        const problem = await withTimeout(check, timeoutMs);
        return typeof problem === 'string' ? { name, ok: false, text: problem } : { name, ok: true, text: 'ok' };
      } catch (error) {
        return { name, ok: false, text: errorMessage(error) };
      }
    }),
  );
}

async function withTimeout(check: HealthCheck, timeoutMs: number): Promise<string | undefined | void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no answer within ${timeoutMs} ms`), timeoutMs);
  });
  try {
    return await Promise.race([(async () => check())(), late]);
  } finally {
    clearTimeout(timer);
  }
}

function send(response: ServerResponse, status: number, body: string, contentType = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'content-type': contentType, 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' });
  response.end(body);
}
