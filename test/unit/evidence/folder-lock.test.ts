import { readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { FolderLockedError, lockFolder } from '../../../src/evidence/folder-lock.ts';
import { withFolder } from '../../support/chain.ts';

test('keeps a second one out, naming folder and process, and lets it in when the first is done', async () => {
  await withFolder(async (dir) => {
    const lock = await lockFolder(dir);
    const refused = lockFolder(dir);
    await expect(refused).rejects.toThrow(FolderLockedError);
    await expect(refused).rejects.toThrow(`folder ${dir} is in use by process ${process.pid} on `);
    await lock.release();
    await (await lockFolder(dir)).release();
    expect(readdirSync(dir)).toEqual([]);
  });
});

test.each(['', 'nonsense'])('a file that says nothing of its writer (%j) counts while it is young: somebody may be about to fill it', async (content) => {
  await withFolder(async (dir) => {
    writeFileSync(join(dir, 'writer-0.lock'), content);
    await expect(lockFolder(dir)).rejects.toThrow('an unreadable lock file');
    utimesSync(join(dir, 'writer-0.lock'), 0, 0);
    await (await lockFolder(dir)).release();
  });
});

test('of many that find the same stale lock at once, never two get it, and in the end one does', async () => {
  await withFolder(async (dir) => {
    let winners = 0;
    for (let round = 0; round < 15; round++) {
      writeFileSync(join(dir, 'writer-0.lock'), JSON.stringify({ pid: 0, started: '', scope: 'gone' }));
      utimesSync(join(dir, 'writer-0.lock'), 0, 0);
      const results = await Promise.allSettled([1, 2, 3, 4].map(() => lockFolder(dir)));
      const held = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      expect(held.length).toBeLessThanOrEqual(1);
      winners += held.length;
      await Promise.all(held.map((lock) => lock.release()));
      expect(readdirSync(dir)).toEqual([]);
    }
    expect(winners).toBeGreaterThan(0);
  });
});
