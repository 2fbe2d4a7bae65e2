import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStateDirectory } from '../../../src/local/state.ts';
import { Store } from '../../../src/local/store.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'dataward-state-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const THING = { apiVersion: 'v1', kind: 'Thing', metadata: { name: 'a', namespace: 'ns' } };

function reopened(): Store {
  return new Store({ state: openStateDirectory(dir) });
}

describe('objects on disk', () => {
  test('a new store finds what an earlier one wrote, and not what it removed', () => {
    const store = reopened();
    store.put('things', { ...THING, value: 1 });
    const gone = store.put('things', { ...THING, metadata: { name: 'b', namespace: 'ns' } });
    store.remove('things', gone);
    expect(reopened().list('things')).toEqual(store.list('things'));
  });

  test('a revision is never given out twice, also when the last write was a deletion', () => {
    const store = reopened();
    const stored = store.put('things', THING);
    const deletion = Number(store.remove('things', stored).metadata.resourceVersion);
    expect(Number(reopened().put('things', THING).metadata.resourceVersion)).toBeGreaterThan(deletion);
  });

  test('a watch from before the restart is told to list again', () => {
    const before = Number(reopened().put('things', THING).metadata.resourceVersion);
    expect(() => reopened().changesSince('things', before)).toThrow(expect.objectContaining({ code: 410 }));
  });

  test('a torn temp file is swept away', () => {
    reopened().put('things', THING);
    const folder = join(dir, 'objects', 'things', 'ns');
    writeFileSync(join(folder, '.tmp-1-abc'), '{"apiVersion":"v1","ki');
    expect(reopened().list('things')).toHaveLength(1);
    expect(readdirSync(folder)).toEqual(['a.json']);
  });

  test('an object that cannot be read stops the start and names the file', () => {
    reopened().put('things', THING);
    writeFileSync(join(dir, 'objects', 'things', 'ns', 'a.json'), '{"apiVersion":"v1","ki');
    expect(() => reopened()).toThrow(/objects\/things\/ns\/a\.json: the stored object cannot be read/);
  });

  test('files are readable by their owner only', () => {
    reopened().put('secrets', THING);
    const file = join(dir, 'objects', 'secrets', 'ns', 'a.json');
    expect(statSync(file).mode & 0o077).toBe(0);
    expect(statSync(join(dir, 'objects')).mode & 0o077).toBe(0);
  });

  test('names beyond the limit of the file system keep apart', () => {
    const store = reopened();
    for (const last of ['a', 'b']) store.put('things', { ...THING, metadata: { name: 'n'.repeat(252) + last, namespace: 'ns' } });
    expect(reopened().list('things')).toHaveLength(2);
  });

  test('a write of which the disk takes a part only is an error, and the object stays what it was', async () => {
    reopened().put('things', { ...THING, metadata: { name: 'thing-1', namespace: 'ns' } });
    // Files of this process end after 2 or 4 KiB, as the shell counts; the system then writes what fits and says how much.
    const child = spawn('sh', ['-c', `trap '' XFSZ; ulimit -f 4; exec "$0" --import tsx test/support/put-until-killed.ts "$1"`, process.execPath, dir], { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, TSX_DISABLE_CACHE: '1' }, timeout: 20_000, killSignal: 'SIGKILL' });
    let complaint = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
    expect((await once(child, 'close'))[0]).not.toBe(0);
    expect(complaint).toContain('EFBIG');
    expect(reopened().list('things')).toMatchObject([{ metadata: { name: 'thing-1' } }]);
  });

  test('a kill -9 at any moment loses no acknowledged write and leaves no half one', async () => {
    for (const after of [40, 90, 200]) {
      const child = spawn(process.execPath, ['--import', 'tsx', 'test/support/put-until-killed.ts', dir], { stdio: ['ignore', 'pipe', 'inherit'] });
      let output = '';
      await new Promise<void>((resolve) => {
        child.stdout.setEncoding('utf8').on('data', (text: string) => {
          output += text;
          if (output.split('\n').length > after) resolve();
        });
      });
      child.kill('SIGKILL');
      await once(child, 'close');
      const lines = output.split('\n').slice(0, -1).map((line) => line.split(' ').map(Number));
      const [count = 0, version = 0, revision = 0] = lines[lines.length - 1] ?? [];
      const store = reopened();
      const last = store.get('things', 'ns', `thing-${count % 7}`);
      // The next write may have replaced or (each fifth) removed one more object before the kill.
      const found = store.list('things').map((object) => Number(object['count']));
      expect(Math.max(...found)).toBeGreaterThanOrEqual(count);
      expect(Math.max(...found)).toBeLessThanOrEqual(count + 1);
      if (last !== undefined) expect(Number(last.metadata.resourceVersion)).toBeGreaterThanOrEqual(version);
      expect(store.revision).toBeGreaterThanOrEqual(revision);
    }
  }, 30_000);
});
