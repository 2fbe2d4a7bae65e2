import { readdirSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { openChain, type Chain } from '../../../../src/evidence/audit/chain.ts';
import { verifyAuditLog } from '../../../../src/evidence/audit/verify.ts';
import { entry, NOON, readLines, withFolder } from '../../../support/chain.ts';

const RUN = { store: 'a/s', run: 'uid-1', object: { kind: 'PurgeRun', name: 'r' }, actor: 'dataward' };

interface Stage {
  dir: string;
  chain: Chain;
  disk: { full: boolean };
}

/** A chain whose disk can be full. */
async function withChain(use: (stage: Stage) => Promise<void>): Promise<void> {
  await withFolder(async (dir) => {
    const disk = { full: false };
    const openFile: typeof open = async (...args) => {
      const handle = await open(...args);
      const write = handle.write.bind(handle) as (...given: unknown[]) => Promise<never>;
      handle.write = ((...given: unknown[]) => (disk.full ? Promise.reject(Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })) : write(...given))) as typeof handle.write;
      return handle;
    };
    const chain = await openChain({ dir, clock: () => NOON, openFile });
    try {
      await use({ dir, chain, disk });
    } finally {
      await chain.audit.close();
    }
  });
}

const actionsIn = async (dir: string): Promise<string[]> => (await readLines(dir)).flatMap(({ lines }) => lines.map((line) => (JSON.parse(line) as { action: string }).action));

test('a full disk stops the log; once it has room the log goes on, and says that it did', async () => {
  await withChain(async ({ dir, chain, disk }) => {
    await chain.audit.append(entry(1));
    disk.full = true;
    await expect(chain.audit.append(entry(2))).rejects.toThrow('ENOSPC');
    await expect(chain.reopen()).rejects.toThrow('ENOSPC');
    expect(chain.audit.healthy()).toMatchObject({ ok: false, stopped: true });
    await expect(chain.audit.append(entry(3))).rejects.toThrow('cannot be written');
    disk.full = false;
    await chain.reopen();
    expect(chain.audit.healthy()).toEqual({ ok: true });
    await chain.audit.append(entry(4));
    expect(await actionsIn(dir)).toEqual(['chain.started', 'purge.batch', 'chain.reopened', 'purge.batch']);
    expect((await verifyAuditLog({ dir })).integrity).toEqual({ state: 'Intact', records: 4 });
  });
});

test('rows of a journal whose record was not written are taken over afterwards, each once', async () => {
  await withChain(async ({ dir, chain: { journal, reopen }, disk }) => {
    await journal.takeOver(RUN, [{ seq: 1 }]);
    disk.full = true;
    await expect(journal.takeOver(RUN, [{ seq: 2 }])).rejects.toThrow('ENOSPC');
    disk.full = false;
    await reopen();
    expect(journal.through(RUN.store, RUN.run)).toBe(1);
    expect(await journal.takeOver(RUN, [{ seq: 1 }, { seq: 2 }])).toEqual({ taken: 1, known: 1, through: 2 });
    expect((await actionsIn(dir)).filter((action) => action === 'journal.batch')).toHaveLength(2);
  });
});

test('one that works, and one that was closed on purpose, is left as it is', async () => {
  await withChain(async ({ dir, chain }) => {
    await chain.reopen();
    expect(await actionsIn(dir)).toEqual(['chain.started']);
    await chain.audit.close();
    await chain.reopen();
    expect(readdirSync(dir).filter((file) => file.endsWith('.lock'))).toEqual([]);
    await expect(chain.audit.append(entry(1))).rejects.toThrow('is closed');
  });
});

test('many that ask at once open it once', async () => {
  await withChain(async ({ dir, chain, disk }) => {
    disk.full = true;
    await expect(chain.audit.append(entry(1))).rejects.toThrow('ENOSPC');
    disk.full = false;
    await Promise.all([chain.reopen(), chain.reopen(), chain.reopen()]);
    expect(await actionsIn(dir)).toEqual(['chain.started', 'chain.reopened']);
  });
});

test('it stays stopped where what it wrote is no longer there, and writes nothing into that folder', async () => {
  await withChain(async ({ dir, chain, disk }) => {
    await chain.audit.append(entry(1));
    disk.full = true;
    await expect(chain.audit.append(entry(2))).rejects.toThrow('ENOSPC');
    disk.full = false;
    for (const file of readdirSync(dir).filter((name) => name.endsWith('.jsonl'))) rmSync(join(dir, file));
    await expect(chain.reopen()).rejects.toThrow('no longer has record 2 of chain');
    expect([readdirSync(dir), chain.audit.healthy().ok]).toEqual([[], false]);
  });
});
