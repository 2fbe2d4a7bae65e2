import { expect, test } from '@jest/globals';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { openAuditLog } from '../../../src/evidence/audit/log.ts';
import { recordMissing } from '../../../src/evidence/audit/predecessors.ts';
import { NOON, withFolder } from '../../support/chain.ts';
import { runCli } from '../../support/cli.ts';

const gone = { chainId: 'earlier', seq: 812, rootHash: 'a'.repeat(64), ts: '2026-11-23T12:00:00.000Z', keyId: '0123456789abcdef' };

test.each([
  { signature: 'Valid', says: /^when this chain began, chain earlier was missing: a checkpoint of 2026-11-23T12:00:00.000Z knows it up to record 812\. Ask for it, and why it ended\.$/m },
  { signature: 'UnknownKey', says: /up to record 812, signed with a key the operator no longer had\. Ask/ },
] as const)('audit verify names the chain that was missing when this one began: $signature', async ({ signature, says }) => {
  await withFolder(async (dir) => {
    for (const folder of ['keys', 'checkpoints']) mkdirSync(path.join(dir, folder));
    const log = await openAuditLog({ dir: path.join(dir, 'audit'), clock: () => NOON });
    await recordMissing(log, 'dataward', [{ ...gone, signature }]);
    await log.close();
    // Nothing vouches for the end of this chain either.
    expect(await runCli(['audit', 'verify', log.dir])).toMatchObject({ code: 1, stdout: expect.stringMatching(/^integrity +Intact +2 records in order$/m), stderr: expect.stringMatching(says) });
  });
});
