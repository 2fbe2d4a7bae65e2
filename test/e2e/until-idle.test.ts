import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { getCondition } from '../../src/api/conditions.ts';
import type { DataStore } from '../../src/api/generated/dataStore.ts';
import { ensureBuilt } from '../support/build.ts';
import { dataward, type CommandResult } from '../support/dataward-process.ts';
import { freePort } from '../support/ports.ts';

/** `dataward local --until-idle`, as a check of declarations in CI: it does what needs no people and no time, and ends by itself. */
let folder: string;
let port: number;
let fine: CommandResult;
let refused: CommandResult;

beforeAll(async () => {
  await ensureBuilt();
  folder = await mkdtemp(path.join(tmpdir(), 'dataward-until-idle-'));
  const spoiled = path.join(folder, 'spoiled');
  await cp('examples', spoiled, { recursive: true, filter: (source) => !/\.(md|ts|sql)$/.test(source) });
  const policy = path.join(spoiled, 'retention-behaviour-25-months.yaml');
  await writeFile(policy, (await readFile(policy, 'utf8')).replace(/^spec:$/m, 'spec:\n  namespaceSelector:\n    all: {}'));
  port = await freePort();
  const once = (from: string, state: string, ...flags: string[]): Promise<CommandResult> => dataward(['local', '-f', from, '--state', path.join(folder, state), '--until-idle', ...flags]);
  [fine, refused] = await Promise.all([
    once('examples', 'fine', '--listen', `127.0.0.1:${port}`, '--kubeconfig', path.join(folder, 'kubeconfig')),
    once(spoiled, 'refused'),
  ]);
}, 90_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

test('ends with 0 when everything was applied, and its controllers have said what they can', async () => {
  expect(fine).toMatchObject({ code: 0, stdout: '', stderr: expect.stringContaining('15 of 15 objects of examples applied') });
  const files = await readdir(path.join(folder, 'fine', 'objects'), { recursive: true });
  const file = files.find((name) => /datastores\..*analytics\.json$/.test(name)) ?? '';
  const store = JSON.parse(await readFile(path.join(folder, 'fine', 'objects', file), 'utf8')) as DataStore;
  // The authority in the examples is empty, so the store cannot be asked anything.
  expect(getCondition(store.status?.conditions, 'Ready')).toMatchObject({ status: 'False', reason: 'CaNotFound', message: expect.stringContaining('ConfigMap platform-db/analytics-ca') });
});

test('was where --listen says, and the kubeconfig for it where --kubeconfig says, for its owner only', async () => {
  const file = path.join(folder, 'kubeconfig');
  expect(await readFile(file, 'utf8')).toContain(`https://127.0.0.1:${port}`);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(fine.stderr).toContain(`API server: https://127.0.0.1:${port}`);
});

test('ends with 1 when an object was refused, and names it with file and line', () => {
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/retention-behaviour-25-months\.yaml:\d+: RetentionPolicy platform-db\/behaviour-25-months refused: .*namespaceSelector is accepted in the namespace dataward-system only/);
  expect(refused.stderr).toContain('14 of 15 objects of ');
});
