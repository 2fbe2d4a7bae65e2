import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runCli } from '../../support/cli.ts';
import { freePort } from '../../support/ports.ts';

let folder: string;
let down: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'dataward-cli-'));
  down = path.join(folder, 'down');
  await writeFile(down, JSON.stringify(configFor(`https://127.0.0.1:${await freePort()}`)));
  await writeFile(path.join(folder, 'broken'), 'not yaml: [ token: s3cret');
  await writeFile(path.join(folder, 'nowhere'), 'apiVersion: v1\nkind: Config\n');
  await writeFile(path.join(folder, 'a-file'), '');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const configFor = (server: string): object => ({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'c', cluster: { server } }],
  users: [{ name: 'u', user: { token: 's3cret' } }],
  contexts: [{ name: 'here', context: { cluster: 'c', user: 'u' } }],
  'current-context': 'here',
});

describe('what is mistyped ends with 2, one sentence on stderr and nothing on stdout', () => {
  const cases: [string, string[], RegExp][] = [
    ['a command nobody knows', ['statsu'], /unknown command 'statsu'\n\(Did you mean status\?\)/],
    ['a flag nobody knows', ['status', '--colour'], /unknown option '--colour'/],
    ['a missing flag', ['validate'], /required option '-f, --filename <path>'/],
    ['a format nobody knows', ['version', '-o', 'xml'], /Allowed choices are table, json, yaml/],
    ['a reference of another kind', ['plan', 'policy/x'], /^error: policy\/x: write retentionpolicy\/NAME$/m],
    ['a reference without a name', ['approve', 'purgerun/'], /^error: purgerun\/: write purgerun\/NAME$/m],
    ['neither a folder nor a policy', ['plan'], /name one of: -f DIR, or retentionpolicy\/NAME/],
    ['a limit that is no number', ['approve', 'purgerun/x', '--max-rows', 'many'], /write a whole number of at least 1/],
    ['a freeze without a reason', ['freeze', '--reason', ' '], /--reason is needed/],
    ['a folder that is not there', ['validate', '-f', '/does/not/exist'], /^error: -f \/does\/not\/exist: there is no such file or folder$/m],
    ['a folder to watch that is not there', ['local', '-f', '/does/not/exist'], /^error: -f \/does\/not\/exist: there is no such folder$/m],
    ['an address without a port', ['operator', '--listen', 'here'], /--listen here: write host:port/],
    ['a certificate that is not there', ['certificate', 'verify', '/does/not/exist'], /^error: \/does\/not\/exist: there is no such file$/m],
    ['a log that is not there', ['audit', 'verify', '/does/not/exist'], /^error: \/does\/not\/exist: there is no such folder; name the folder of the log/m],
    ['a kubeconfig that is not there', ['status', '--kubeconfig', '/does/not/exist'], /^error: --kubeconfig \/does\/not\/exist: there is no such file$/m],
  ];
  test.each(cases)('%s', async (_what, args, says) => {
    const result = await runCli(args);
    expect(result).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(says) });
    expect(result.stderr).not.toMatch(/^ +at /m);
  });

  test('a kubeconfig that is none, without a word of what is in it', async () => {
    const result = await runCli(['status', '--kubeconfig', path.join(folder, 'broken')]);
    expect(result).toEqual({ code: 2, stdout: '', stderr: `error: --kubeconfig ${path.join(folder, 'broken')}: is not a kubeconfig, which is YAML of kind Config; name another with --kubeconfig or KUBECONFIG\n` });
  });

  test('a kubeconfig whose context leads nowhere, and a context it does not have', async () => {
    expect(await runCli(['status', '--kubeconfig', path.join(folder, 'nowhere')])).toMatchObject({ code: 2, stderr: expect.stringMatching(/its current context names no cluster; choose a context with --context/) });
    expect(await runCli(['status', '--kubeconfig', down, '--context', 'there'])).toMatchObject({ code: 2, stderr: expect.stringMatching(/--context there: .* has no such context; it has here/) });
  });

  test('a file where a folder is to be watched, and a person whose name would leave the folder', async () => {
    expect(await runCli(['local', '-f', path.join(folder, 'a-file')])).toMatchObject({ code: 2, stderr: expect.stringMatching(/is not a folder/) });
    expect(await runCli(['local', '-f', folder, '--person', '../x'])).toMatchObject({ code: 2, stderr: expect.stringMatching(/--person \.\.\/x: write a name/) });
  });
});

describe('version', () => {
  test('is a line, JSON or YAML on stdout, and nothing on stderr', async () => {
    expect(await runCli(['version'])).toEqual({ code: 0, stdout: `dataward 1.2.3 (abcdef0), Node ${process.version}\n`, stderr: '' });
    expect(JSON.parse((await runCli(['version', '-o', 'json'])).stdout)).toEqual({ version: '1.2.3', commit: 'abcdef0', node: process.version });
    expect((await runCli(['version', '-o', 'yaml'])).stdout).toBe(`version: 1.2.3\ncommit: abcdef0\nnode: ${process.version}\n`);
  });

  test('help is asked for with 0 and goes to stdout', async () => {
    expect(await runCli(['plan', '--help'])).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^Usage: dataward plan \[options\] \[retentionpolicy\/NAME\]/) });
  });
});
