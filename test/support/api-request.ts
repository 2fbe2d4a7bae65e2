import { request as httpsRequest } from 'node:https';
import type { Agent } from 'node:https';

export interface ApiAnswer {
  readonly status: number;
  /** Parsed when the server sent JSON, else text. */
  readonly body: unknown;
  /** Texts of the `Warning` headers, e.g. about deprecated fields or CEL type checks. */
  readonly warnings: readonly string[];
}

export interface ApiRequest {
  readonly url: string;
  /** PEM of the authority the server's certificate must come from. */
  readonly ca: string;
  readonly token: string;
  readonly method: string;
  readonly contentType: string;
  /** Sent as JSON; undefined sends no body. */
  readonly body: unknown;
  /** Keeps connections; without one each request has its own. */
  readonly agent?: Agent;
}

/**
 * One request to a Kubernetes API without a client library: tests of the client need a second opinion, and the raw
 * warnings and status.
 *
 * @throws when no whole answer arrives; any status is an answer
 */
export function apiRequest({ url, ca, token, method, contentType, body, agent }: ApiRequest): Promise<ApiAnswer> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, accept: 'application/json', ...(body === undefined ? {} : { 'content-type': contentType }) };
    const outgoing = httpsRequest(url, { method, ca, headers, agent: agent ?? false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('error', reject);
      response.on('end', () => {
        const json = String(response.headers['content-type']).startsWith('application/json');
        const warnings = response.headersDistinct['warning'] ?? [];
        resolve({ status: response.statusCode ?? 0, body: json ? JSON.parse(text) : text, warnings });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
