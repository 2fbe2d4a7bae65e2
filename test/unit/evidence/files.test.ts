import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { link } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { createWhole, makeFolder, replaceWhole } from '../../../src/evidence/files.ts';
import { withFolder } from '../../support/chain.ts';

const withoutLinks: typeof link = () => Promise.reject(Object.assign(new Error('EPERM: operation not permitted, link'), { code: 'EPERM' }));

describe.each([['with hard links', link], ['without hard links', withoutLinks]])('on a file system %s', (_name, makeLink) => {
  test('one of many that create the same file wins, and nothing else stays behind', async () => {
    await withFolder(async (dir) => {
      const path = join(dir, 'file');
      const won = await Promise.all(['a', 'b', 'c', 'd'].map((content) => createWhole(path, content, makeLink)));
      expect(won.filter(Boolean)).toHaveLength(1);
      expect(readFileSync(path, 'utf8')).toBe('abcd'[won.indexOf(true)]);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(readdirSync(dir)).toEqual(['file']);
    });
  });
});

test('a failure that is none of the file system leaves nothing behind', async () => {
  await withFolder(async (dir) => {
    await expect(createWhole(join(dir, 'file'), 'x', () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' })))).rejects.toThrow('EIO');
    expect(readdirSync(dir)).toEqual([]);
  });
});

test('a file is replaced whole, and stays what it was where it cannot be', async () => {
  await withFolder(async (dir) => {
    const path = join(dir, 'file');
    await replaceWhole(path, 'first');
    await replaceWhole(path, 'second');
    expect([readFileSync(path, 'utf8'), statSync(path).mode & 0o777, readdirSync(dir)]).toEqual(['second', 0o600, ['file']]);
    mkdirSync(join(dir, 'folder', 'in-the-way'), { recursive: true });
    await expect(replaceWhole(join(dir, 'folder'), 'third')).rejects.toMatchObject({ code: 'EISDIR' });
    expect(readdirSync(dir).toSorted()).toEqual(['file', 'folder']);
  });
});

test('a folder is made with those above it, for its owner only; what is in the way is told', async () => {
  await withFolder(async (dir) => {
    await makeFolder(join(dir, 'a', 'b'));
    await makeFolder(join(dir, 'a', 'b'));
    expect(['a', 'a/b'].map((name) => statSync(join(dir, name)).mode & 0o777)).toEqual([0o700, 0o700]);
    writeFileSync(join(dir, 'file'), '');
    await expect(makeFolder(join(dir, 'file', 'b'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  });
});
