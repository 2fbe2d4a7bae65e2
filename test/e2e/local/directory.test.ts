import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import { mkdtemp, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { demoManifests, holdDates } from '../../../examples/demo/manifests.ts';
import { CONFIG_MAP, NAMESPACE, OWN_KINDS, SECRET } from '../../../src/api/kinds.ts';
import type { KindRef, KubeObject } from '../../../src/api/object.ts';
import { loadApi } from '../../../src/api/validation/load.ts';
import { watchDirectory } from '../../../src/local/directory.ts';
import type { ApplyResult, DirectorySource } from '../../../src/local/directory.ts';
import { createClient } from '../../../src/runtime/client.ts';
import type { Client } from '../../../src/runtime/client.ts';
import { WIDGET_CRD } from '../../controlplane/widget-crd.ts';
import { startTestLocalServer } from '../../support/local-server.ts';
import type { TestLocalServer } from '../../support/local-server.ts';

const WIDGET: KindRef = { group: 'test.dataward.io', version: 'v1alpha1', plural: 'widgets', kind: 'Widget', namespaced: true };

interface Widget extends KubeObject {
  spec: { size: number; note?: string };
}

describe('a folder of manifests', () => {
  let server: TestLocalServer;
  let client: Client;
  let dir: string;
  let source: DirectorySource | undefined;
  let news: ApplyResult[];

  beforeAll(async () => {
    server = await startTestLocalServer([WIDGET_CRD]);
    const config = new KubeConfig();
    config.loadFromString(server.kubeconfig('local-admin'));
    client = createClient(config, { userAgent: 'dataward-test' });
  });
  afterAll(async () => {
    client.close();
    await server.close();
  });
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'dataward-manifests-'));
    news = [];
  });
  afterEach(async () => {
    await source?.close();
    source = undefined;
    await rm(dir, { recursive: true, force: true });
  });

  function widget(name: string, namespace: string, spec = '{ size: 1 }'): string {
    return `---\napiVersion: test.dataward.io/v1alpha1\nkind: Widget\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: ${spec}\n`;
  }
  function namespace(name: string): string {
    return `---\napiVersion: v1\nkind: Namespace\nmetadata: { name: ${name} }\n`;
  }
  function write(name: string, text: string): Promise<void> {
    return writeFile(join(dir, name), text);
  }
  async function start(rescanMs = 60_000): Promise<ApplyResult[]> {
    source = watchDirectory({ dir, client, kinds: [WIDGET, NAMESPACE], onResult: (result) => news.push(result), debounceMs: 30, rescanMs });
    return source.firstPass;
  }
  async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
    for (const deadline = Date.now() + 5000; !(await isSo()); await delay(10)) {
      if (Date.now() > deadline) throw new Error(`waited for ${what}; news so far: ${JSON.stringify(news)}`);
    }
  }
  const size = async (name: string, ns: string): Promise<number | undefined> => (await client.get<Widget>(WIDGET, { namespace: ns, name }))?.spec.size;

  test('is applied, the namespace first whatever the order of the files', async () => {
    await mkdir(join(dir, 'below'));
    await write('below/a.yaml', widget('one', 'first'));
    await write('z.yml', namespace('first'));
    await write('notes.txt', 'not a manifest');
    expect(await start()).toEqual([
      { file: 'z.yml', line: 2, object: 'Namespace first', outcome: 'created' },
      { file: 'below/a.yaml', line: 2, object: 'Widget first/one', outcome: 'created' },
    ]);
  });

  test('an edit is applied, also one that replaces the file, and a new file in a new folder', async () => {
    await write('a.yaml', namespace('edits') + widget('one', 'edits'));
    await start();
    await write('a.yaml', namespace('edits') + widget('one', 'edits', '{ size: 2 }'));
    await until('the edit', async () => (await size('one', 'edits')) === 2);
    await write('.a.yaml.swp', namespace('edits') + widget('one', 'edits', '{ size: 3 }'));
    await rename(join(dir, '.a.yaml.swp'), join(dir, 'a.yaml'));
    await until('the replaced file', async () => (await size('one', 'edits')) === 3);
    await mkdir(join(dir, 'new'));
    await delay(100);
    await write('new/b.yaml', widget('two', 'edits'));
    await until('the new file', async () => (await size('two', 'edits')) === 1);
  });

  test('a removed file deletes nothing', async () => {
    await write('a.yaml', namespace('kept') + widget('one', 'kept'));
    await start(50);
    await rm(join(dir, 'a.yaml'));
    await delay(300);
    expect(await size('one', 'kept')).toBe(1);
  });

  test('a file with a mistake changes nothing and is named with its line; put right, it is applied', async () => {
    await write('a.yaml', namespace('mistakes') + widget('one', 'mistakes'));
    await start();
    await write('a.yaml', `${widget('one', 'mistakes', '{ size: 7 }')}---\nspec: { size: [\n`);
    await until('the refusal', () => news.some(({ outcome }) => outcome === 'refused'));
    expect(news.find(({ outcome }) => outcome === 'refused')).toMatchObject({ file: 'a.yaml', line: expect.any(Number), message: expect.stringContaining('not valid YAML') });
    expect(await size('one', 'mistakes')).toBe(1);
    await write('a.yaml', widget('one', 'mistakes', '{ size: 8 }'));
    await until('the repair', async () => (await size('one', 'mistakes')) === 8);
  });

  test('what the server refuses is told once, tried again, and leaves the others alone', async () => {
    await write('a.yaml', namespace('refused') + widget('bad', 'refused', '{ size: 0 }') + widget('early', 'later') + widget('good', 'refused'));
    const results = await start(50);
    expect(results.map(({ object, outcome }) => [object, outcome])).toEqual([
      ['Namespace refused', 'created'], ['Widget refused/bad', 'refused'], ['Widget later/early', 'refused'], ['Widget refused/good', 'created'],
    ]);
    expect(results[1]?.message).toContain('spec.size');
    await delay(300);
    expect(news.filter(({ object }) => object === 'Widget refused/bad')).toHaveLength(1);
    await client.create(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'later' } });
    await until('the second try', async () => (await size('early', 'later')) === 1);
  });

  test('what others wrote into an object stays there', async () => {
    await write('a.yaml', namespace('shared') + widget('one', 'shared'));
    await start();
    await client.mergePatch(WIDGET, { namespace: 'shared', name: 'one' }, { metadata: { finalizers: ['test.dataward.io/hold'] }, spec: { note: 'mine' } });
    await write('a.yaml', widget('one', 'shared', '{ size: 9 }'));
    await until('the edit', async () => (await size('one', 'shared')) === 9);
    const object = await client.get<Widget>(WIDGET, { namespace: 'shared', name: 'one' });
    expect(object).toMatchObject({ metadata: { finalizers: ['test.dataward.io/hold'] }, spec: { size: 9, note: 'mine' } });
  });

  test('that is not there is an error at the start', async () => {
    await rm(dir, { recursive: true });
    await expect(start()).rejects.toThrow('ENOENT');
  });
});

test('the manifests of the demo are accepted as they are, and nothing is written at the second look', async () => {
  const api = loadApi(fileURLToPath(new URL('../../../crds/', import.meta.url)));
  const server = await startTestLocalServer(api.crds, api.admissionPolicies, { validator: api.validator });
  const config = new KubeConfig();
  config.loadFromString(server.kubeconfig('local-admin'));
  const client = createClient(config, { userAgent: 'dataward-test' });
  const dir = await mkdtemp(join(tmpdir(), 'dataward-demo-'));
  const values = {
    host: '127.0.0.1', port: 15432, database: 'analytics', serverName: 'localhost', caPem: server.caPem,
    observeUser: 'o', observePassword: 'p', enforceUser: 'e', enforcePassword: 'p', verifyUser: 'v', verifyPassword: 'p', ...holdDates(new Date()),
  };
  for (const [name, text] of await demoManifests(values)) await writeFile(join(dir, name), text);
  for (const outcome of ['created', 'unchanged']) {
    const source = watchDirectory({ dir, client, kinds: [...OWN_KINDS, NAMESPACE, SECRET, CONFIG_MAP], onResult: () => undefined });
    const results = await source.firstPass;
    await source.close();
    expect(results.length).toBeGreaterThan(8);
    expect(results.filter((result) => result.outcome !== outcome)).toEqual([]);
  }
  client.close();
  await server.close();
  await rm(dir, { recursive: true });
});
