import { request as httpsRequest } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { project } from './projection.ts';
import type { ApiRequestCase, Earlier } from './requests.ts';

/** What is compared of one answer. */
export interface Comparable {
  name: string;
  code: number;
  body: unknown;
}

interface RawAnswer {
  code: number;
  text: string;
  isJson: boolean;
}

function send(url: string, token: string, ca: string, entry: ApiRequestCase, earlier: Earlier): Promise<RawAnswer> {
  const path = typeof entry.path === 'function' ? entry.path(earlier) : entry.path;
  const body = typeof entry.body === 'function' ? (entry.body as (earlier: Earlier) => unknown)(earlier) : entry.body;
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const headers = {
    authorization: `Bearer ${token}`,
    accept: 'application/json',
    // Without a length Node sends the body of a DELETE as the start of another request.
    ...(text === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) }),
    ...entry.headers,
  };
  return new Promise((resolve, reject) => {
    const outgoing = httpsRequest(url + path, { method: entry.method, ca, headers, agent: false }, (response) => {
      let received = '';
      response.setEncoding('utf8').on('data', (part: string) => (received += part));
      response.on('error', reject);
      response.on('end', () => {
        resolve({ code: response.statusCode ?? 0, text: received, isJson: String(response.headers['content-type']).includes('json') });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(text);
  });
}

function parse({ text, isJson }: RawAnswer, isWatch: boolean): unknown {
  if (!isJson) return text;
  if (!isWatch) return JSON.parse(text);
  return text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as unknown);
}

/**
 * Sends the table to a server, in order, and gives what is compared of each answer. `patience` scales the waits for
 * controllers: 1 for those of a cluster.
 */
export async function runRequests(url: string, token: string, ca: string, table: readonly ApiRequestCase[], patience = 1): Promise<Comparable[]> {
  const earlier: Earlier = {};
  const results: Comparable[] = [];
  for (const entry of table) {
    const raw = await send(url, token, ca, entry, earlier);
    const body = parse(raw, entry.watch === true && raw.code === 200);
    earlier[entry.name] = body;
    const compare = entry.compare ?? ((value: unknown) => (Array.isArray(value) ? value.map(project) : project(value)));
    results.push({ name: entry.name, code: raw.code, body: compare(body) });
    // The controllers behind a server work after the answer; a case that looks at their work says how long it waits.
    if (entry.settleMs !== undefined) await delay(entry.settleMs * patience);
  }
  return results;
}
