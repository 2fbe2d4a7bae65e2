import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createClient } from '../../../src/runtime/client.ts';
import { systemClock, type Clock } from '../../../src/runtime/clock.ts';
import { createTestCa } from '../../support/certificates.ts';
import { createCleanup } from '../../support/cleanup.ts';
import { runCli } from '../../support/cli.ts';
import { PERSON_TOKEN, startTestLocalServer, type TestLocalServer } from '../../support/local-server.ts';
import { freePort } from '../../support/ports.ts';

const TOKEN = 's3cret-token';
/** Tries again at once. */
const WITHOUT_WAITING: Clock = { ...systemClock, setTimer: (_delayMs, run) => systemClock.setTimer(0, run) };
/** Every command that talks to an API server. */
const COMMANDS = [['status', '-A'], ['plan', 'retentionpolicy/x', '-n', 'team'], ['approve', 'purgerun/x', '-n', 'team'], ['freeze', '--reason', 'incident'], ['thaw']];

const cleanup = createCleanup();
let folder: string;
let local: TestLocalServer;

beforeAll(async () => {
  folder = cleanup.add(await mkdtemp(path.join(tmpdir(), 'dataward-cli-')), (made) => rm(made, { recursive: true, force: true }));
  local = cleanup.add(await startTestLocalServer([]), (server) => server.close());
});
afterAll(() => cleanup.run());

/** A server over HTTP without TLS that gives everybody the same answer. Its address, without the scheme. */
async function answering(status: number, type: string, body: string): Promise<string> {
  const answer = (response: ServerResponse): void => void response.writeHead(status, { 'content-type': type }).end(body);
  const server = createServer((_request, response) => answer(response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanup.add(server, (begun) => new Promise((resolve) => begun.close(resolve).closeAllConnections()));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const config = (server: string, more: { token?: string; ca?: string } = {}): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server, ...(more.ca ? { 'certificate-authority-data': Buffer.from(more.ca).toString('base64') } : {}) } }],
    users: [{ name: 'u', user: { token: more.token ?? TOKEN } }],
    contexts: [{ name: 'here', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'here',
  });

/** Each command's exit code and words with a file of this text as its kubeconfig; FILE and SERVER stand for what differs. */
async function told(text: string, server = '', flags: readonly string[] = []): Promise<{ command: string | undefined; code: number; stdout: string; stderr: string }[]> {
  const file = path.join(folder, 'kubeconfig');
  await writeFile(file, text);
  const results = [];
  for (const args of COMMANDS) {
    const { stderr, ...rest } = await runCli([...args, '--kubeconfig', file, ...flags], { client: (access) => createClient(access, { userAgent: 'test', qps: 0, clock: WITHOUT_WAITING }) });
    expect(stderr).not.toMatch(new RegExp(`${TOKEN}|${PERSON_TOKEN}`));
    results.push({ command: args[0], ...rest, stderr: stderr.replaceAll(file, 'FILE').replaceAll(server === '' ? '\0' : server, 'SERVER') });
  }
  return results;
}

const each = (code: number, stderr: RegExp): object[] => COMMANDS.map(([command]) => ({ command, code, stdout: '', stderr: expect.stringMatching(stderr) }));
const OTHER = 'choose another with --kubeconfig or --context';

describe('each command names what it asked, where, by which file, and what to do next, when the server', () => {
  const cases: { what: string; server: () => Promise<string> | string; more?: () => Promise<{ token?: string; ca?: string }>; code: number; says: RegExp }[] = [
    { what: 'is not there', server: async () => `https://127.0.0.1:${await freePort()}`, code: 3, says: new RegExp(`: no answer from the API server \\(ECONNREFUSED\\); it was asked at SERVER \\(context here of --kubeconfig FILE\\): nothing listens there; start it, or ${OTHER}\n$`) },
    { what: 'does not know the token', server: () => local.url, more: async () => ({ ca: local.caPem }), code: 2, says: new RegExp(`: Unauthorized \\(HTTP 401\\); the API server at SERVER \\(context here of --kubeconfig FILE\\) does not know this user: sign in again, or ${OTHER}\n$`) },
    { what: 'has a certificate of another authority', server: () => local.url, more: async () => ({ ca: (await createTestCa()).pem, token: PERSON_TOKEN }), code: 3, says: /\([A-Z_]*(?:SIGNATURE|SELF_SIGNED)[A-Z_]*\); it was asked at SERVER \(context here of --kubeconfig FILE\): its certificate is not signed by the certificate-authority given there; if it is the right server, correct that\n$/ },
    { what: 'does not speak TLS', server: async () => `https://${await answering(200, 'text/plain', 'hello')}`, code: 3, says: /\((?:EPROTO|ERR_SSL_\w+)\); it was asked at SERVER \(context here of --kubeconfig FILE\): what listens there does not speak TLS as we do; look at scheme and port\n$/ },
    { what: 'is a web page', server: async () => `http://${await answering(200, 'text/html', '<h1>Welcome</h1>')}`, code: 3, says: new RegExp(`: what answers is not a Kubernetes API; look at the address: it was asked at SERVER \\(context here of --kubeconfig FILE\\); ${OTHER}\n$`) },
    { what: 'is a web page that does not know the path', server: async () => `http://${await answering(404, 'text/html; charset=utf-8', '<h1>Not Found</h1>')}`, code: 3, says: /: what answers is not a Kubernetes API \(HTTP 404\); look at the address: / },
    { what: 'does not have our kinds', server: async () => `http://${await answering(404, 'text/plain', '404 page not found\n')}`, code: 2, says: new RegExp(`: the API server does not have this kind \\(HTTP 404\\); install the definitions \\(kubectl apply -f crds\\) in the cluster at SERVER \\(context here of --kubeconfig FILE\\), or ${OTHER}\n$`) },
    { what: 'is a gateway without a server behind it', server: async () => `http://${await answering(502, 'text/plain', 'bad gateway')}`, code: 3, says: /: no explanation \(HTTP 502\); it was asked at SERVER \(context here of --kubeconfig FILE\); try again\n$/ },
  ];
  test.each(cases)('$what', async ({ server, more, code, says }) => {
    const address = await server();
    const results = await told(config(address, await more?.()), address);
    expect(results).toEqual(each(code, says));
    for (const { stderr } of results) expect(stderr).toMatch(/^error: [^\n]+\n$/);
  });
});

describe('each command names the file, what is wrong with it and what to do next, when the kubeconfig', () => {
  const good = config('https://127.0.0.1:1');
  const cases: { what: string; text: string; flags?: string[]; says: RegExp }[] = [
    { what: 'is not YAML', text: `not yaml: [ token: ${TOKEN}`, says: /^error: --kubeconfig FILE: is not a kubeconfig, which is YAML of kind Config; name another with --kubeconfig or KUBECONFIG\n$/ },
    { what: 'is empty', text: '', says: /^error: --kubeconfig FILE: is not a kubeconfig, which/ },
    { what: 'is YAML of something else', text: 'apiVersion: v1\nkind: Secret\n', says: /^error: --kubeconfig FILE: its current context names no cluster; choose a context with --context\n$/ },
    { what: 'has no such context', text: good, flags: ['--context', 'there'], says: /^error: --context there: --kubeconfig FILE has no such context; it has here\n$/ },
    { what: 'has a server that is no address', text: config('api.example:6443'), says: /^error: --kubeconfig FILE: the server of cluster c, which context here names, is no address; write https:\/\/HOST:PORT\n$/ },
    { what: 'is another file than the one given', text: good, flags: ['--kubeconfig', '/does/not/exist'], says: /^error: --kubeconfig \/does\/not\/exist: there is no such file\n$/ },
  ];
  test.each(cases)('$what', async ({ text, flags, says }) => {
    expect(await told(text, '', flags)).toEqual(each(2, says));
  });
});

test.each([
  { what: 'the namespace of the operator', args: [], says: 'nothing is frozen: there is no namespace dataward-system; --root-namespace says where the operator lives' },
  { what: 'a namespace that was given', args: ['-n', 'nowhere'], says: 'nothing is frozen: there is no namespace nowhere; -n names another' },
])('a freeze says that it did not happen when $what is not there', async ({ args, says }) => {
  const file = path.join(folder, 'person');
  await writeFile(file, config(local.url, { token: PERSON_TOKEN, ca: local.caPem }));
  expect(await runCli(['freeze', '--reason', 'incident', '--kubeconfig', file, ...args])).toEqual({ code: 2, stdout: '', stderr: `error: ${says}\n` });
});
