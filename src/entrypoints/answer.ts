import type { EntryPointAnswer } from '../connect/entry-points.ts';

/** What one port of one address answered. Pure from here on. */
export type PortAnswer =
  /** Nothing listens. */
  | { port: 'closed' }
  /** Nothing clear in time. */
  | { port: 'silent' }
  /** Something listens that speaks neither HTTP nor TLS of today. */
  | { port: 'neither' }
  | { port: 'plain'; redirects: boolean }
  /** `named`: its certificate covers the host. `hstsMaxAge` is absent where no HTTP was spoken. */
  | { port: 'tls'; named: boolean; hstsMaxAge?: number };

const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

/** Whether an answer without TLS sends the browser on to TLS, on whatever host. */
export function leadsToTls(status: number, location: string | undefined): boolean {
  return REDIRECTS.includes(status) && location !== undefined && /^https:\/\//i.test(location);
}

/** Seconds a Strict-Transport-Security header binds a browser for (RFC 6797, 6.1); 0 for none, and for one no browser would take. */
export function hstsMaxAge(header: string | undefined): number {
  // Of several headers, which come joined by commas, the first counts.
  const directives = (header?.split(',')[0] ?? '').split(';').map((directive) => directive.trim());
  const ages = directives.flatMap((directive) => /^max-age\s*=\s*"?(\d{1,15})"?$/i.exec(directive)?.[1] ?? []);
  return ages.length === 1 ? Number(ages[0]) : 0;
}

/** What the ports of one address say together. */
export function answerOfPlace(ports: readonly PortAnswer[]): EntryPointAnswer {
  const secure = ports.filter((each) => each.port === 'tls');
  const plain = ports.filter((each) => each.port === 'plain');
  const silent = ports.some(({ port }) => port === 'silent');
  const heard = ports.some(({ port }) => port !== 'closed' && port !== 'silent');
  // Where nothing listens at all the place is down, or not for us: that says nothing about TLS.
  const https = secure.length > 0 ? (secure.every(({ named }) => named) ? 'Served' : 'OtherName') : heard && !silent ? 'Refused' : undefined;
  const http = plain.length > 0 ? (plain.every(({ redirects }) => redirects) ? 'Redirects' : 'Open') : heard && !silent ? 'Closed' : undefined;
  const ages = secure.map((each) => each.hstsMaxAge);
  return { ...only('https', https), ...only('http', http), ...only('hstsMaxAge', least(ages)) };
}

const HTTPS = ['Refused', 'OtherName', undefined, 'Served'] as const;
const HTTP = ['Open', undefined, 'Redirects', 'Closed'] as const;

/** What several addresses say together: the worst of each, and what one of them left open stays open. */
export function worstAnswer(answers: readonly EntryPointAnswer[]): EntryPointAnswer {
  if (answers.length === 0) return {};
  const https = HTTPS.find((each) => answers.some((answer) => answer.https === each));
  const http = HTTP.find((each) => answers.some((answer) => answer.http === each));
  return { ...only('https', https), ...only('http', http), ...only('hstsMaxAge', least(answers.map((answer) => answer.hstsMaxAge))) };
}

/** Undefined when one is. */
function least(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 || known.length < values.length ? undefined : Math.min(...known);
}

function only<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, V>);
}
