import { Agent, request } from 'node:http';
import { afterEach, describe, expect, test } from '@jest/globals';
import { startHealthServer } from '../../../src/telemetry/health.ts';
import type { HealthOptions, HealthServer } from '../../../src/telemetry/health.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';

let server: HealthServer | undefined;
afterEach(async () => server?.close());

async function start(options: Partial<HealthOptions> = {}): Promise<(path: string, method?: string) => Promise<{ status: number; body: string; type: string | null }>> {
  server = await startHealthServer({ host: '127.0.0.1', port: 0, registry: createMetrics({ version: '1', commit: 'c' }).registry, checkTimeoutMs: 50, ...options });
  const base = `http://127.0.0.1:${server.port}`;
  return async (path, method = 'GET') => {
    const response = await fetch(base + path, { method });
    return { status: response.status, body: await response.text(), type: response.headers.get('content-type') };
  };
}

describe('the health server', () => {
  test('is alive and ready without checks', async () => {
    const get = await start();
    expect([(await get('/healthz')).status, (await get('/readyz')).status]).toEqual([200, 200]);
  });

  test.each<[string, () => string | undefined | void | Promise<string | undefined>, string]>([
    ['says what is wrong', () => 'cache not synced', '[-]check cache not synced'],
    ['throws', () => { throw new Error("value 'jane'"); }, "[-]check value '…'"],
    ['never answers', () => new Promise<string>(() => {}), '[-]check no answer within 50 ms'],
  ])('is not ready when a check %s, and names it beside those that pass', async (_name, check, line) => {
    const get = await start({ ready: { check, other: () => {} } });
    const answer = await get('/readyz');
    expect(answer).toMatchObject({ status: 503, body: `${line}\n[+]other ok\nnot ok\n` });
    expect((await get('/healthz')).status).toBe(200);
  });

  test('leaves no timer behind after a check that answered', async () => {
    const get = await start({ live: { loop: () => {} }, checkTimeoutMs: 600_000 });
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    for (let times = 0; times < 20; times += 1) await get('/healthz');
    expect(timers() - before).toBeLessThan(10);
  });

  test('lists passing checks only when asked', async () => {
    const get = await start({ live: { loop: async () => undefined } });
    expect((await get('/healthz')).body).toBe('ok\n');
    expect((await get('/healthz?verbose')).body).toBe('[+]loop ok\nok\n');
  });

  test('serves the metrics as Prometheus text', async () => {
    const get = await start();
    const answer = await get('/metrics');
    expect(answer.type).toContain('text/plain');
    expect(answer.body).toContain('dataward_build_info{version="1",commit="c"} 1');
  });

  test.each([['/', 'GET', 404], ['/healthz', 'POST', 405], ['/%', 'GET', 404]])('%s with %s is %i', async (path, method, status) => {
    const get = await start();
    expect((await get(path, method)).status).toBe(status);
  });

  test('keeps an idle connection open for longer than a Go client would', async () => {
    await start();
    const agent = new Agent({ keepAlive: true });
    const hint = await new Promise<unknown>((resolve) => {
      request({ agent, host: '127.0.0.1', port: server?.port, path: '/healthz' }, (response) => {
        response.resume();
        resolve(response.headers['keep-alive']);
      }).end();
    });
    agent.destroy();
    expect(Number(String(hint).match(/timeout=(\d+)/)?.[1])).toBeGreaterThanOrEqual(120);
  });

  test('a port in use is told at the start', async () => {
    await start();
    await expect(startHealthServer({ host: '127.0.0.1', port: server?.port ?? 0, registry: createMetrics({ version: '1', commit: 'c' }).registry })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});
