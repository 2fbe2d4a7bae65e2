import { readdirSync, readFileSync, statSync } from 'node:fs';
import { link } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { createWhole } from '../../../src/evidence/files.ts';
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
