import { describe, expect, test } from '@jest/globals';
import { JOURNAL_TAKEN_OVER, openJournal } from '../../../src/evidence/audit/journal.ts';
import { openAuditLog } from '../../../src/evidence/audit/log.ts';
import { checkCertificateInChain, type ChainSupport } from '../../../src/evidence/certificate-in-chain.ts';
import { buildCertificate, signCertificate, type CertificateFacts } from '../../../src/evidence/certificate.ts';
import { facts, signer } from '../../support/certificate.ts';
import { entry, NOON, readLines, withFolder, writeLines } from '../../support/chain.ts';

const collection = facts().collections[0]!;
const object = { kind: 'PurgeRun', name: 'run-1', uid: facts().basis.runUid };

/** One run of 118 rows in three batches beside the work of others; `change` is what the certificate states otherwise. */
async function support(change: Partial<CertificateFacts> = {}, options: { intent?: boolean | 'late'; odd?: boolean; spoil?: (dir: string) => Promise<void> } = {}): Promise<ChainSupport> {
  return withFolder(async (dir) => {
    const log = await openAuditLog({ dir, clock: () => NOON, segmentBytes: 1500 });
    const journal = await openJournal(log);
    const firstSeq = log.head().seq + 1;
    if (options.intent === undefined) await log.append({ actor: 'dataward', action: 'purge.intent', object, outcome: 'Intended' });
    const rows = [50, 50, 18].map((deleted, i) => ({ seq: i + 1, collection: collection.name, deleted }));
    await journal.takeOver({ store: 'platform-db/analytics', run: object.uid, object, actor: 'dataward' }, rows);
    await journal.takeOver({ store: 'platform-db/analytics', run: 'other', object: { ...object, uid: 'other' }, actor: 'dataward' }, rows);
    if (options.intent === 'late') await log.append({ actor: 'dataward', action: 'purge.intent', object, outcome: 'Intended' });
    if (options.odd) await log.append({ actor: 'dataward', action: JOURNAL_TAKEN_OVER, object, outcome: 'Done', refs: { batch: { collection: collection.name } } });
    await log.append({ actor: 'dataward', action: 'purge.done', object, outcome: 'Done' });
    const lastSeq = log.head().seq;
    await log.append(entry(1));
    await log.close();
    const audit = { chainId: log.chainId, firstSeq, lastSeq, checkpoint: null };
    await options.spoil?.(dir);
    return checkCertificateInChain(dir, signCertificate(buildCertificate(facts({ audit, ...change })), signer));
  });
}

test('a certificate that states what the chain records is supported', async () => {
  expect(await support()).toEqual({ state: 'Supported', problems: [] });
});

describe('a certificate is contradicted when', () => {
  test.each<[string, Partial<CertificateFacts>, { intent?: boolean | 'late' }, string]>([
    ['it states more than the chain records', { collections: [{ ...collection, deleted: 119 }] }, {}, 'states 119 deleted rows, the chain records 118'],
    ['it names a collection the run never touched', { collections: [collection, { ...collection, name: 'sessions', deleted: 1 }] }, {}, 'collection sessions: the certificate states 1 deleted rows, the chain records 0'],
    ['it leaves out a collection', { collections: [{ ...collection, name: 'sessions', deleted: 118 }] }, {}, `collection ${collection.name}: the certificate states 0`],
    ['nothing was announced before the first deletion', {}, { intent: false }, 'no intent was recorded'],
    ['the first deletion was announced only after it', {}, { intent: 'late' }, 'no intent was recorded before the first deletion'],
    ['it is about another run', { basis: { ...facts().basis, runUid: 'nobody' } }, {}, 'the chain records 0'],
  ])('%s', async (_name, change, options, problem) => {
    const { state, problems } = await support(change, options);
    expect(state).toBe('Contradicted');
    expect(problems.join()).toContain(problem);
  });
});

test('a record of a batch that does not say what was deleted contradicts it, and ends nothing', async () => {
  expect(await support({}, { odd: true })).toEqual({ state: 'Contradicted', problems: ['1 records of batches do not say what was deleted; verify the chain'] });
});

describe('nothing is known when', () => {
  test('the chain is another one', async () => {
    expect(await support({ audit: { ...facts().audit, checkpoint: null } })).toMatchObject({ state: 'Missing', problems: [expect.stringContaining('is not here, but chain')] });
  });

  test('a record named cannot be read', async () => {
    const spoil = async (dir: string) => {
      const [, second] = await readLines(dir);
      writeLines(second!.path, second!.lines.with(0, 'x'));
    };
    expect(await support({}, { spoil })).toMatchObject({ state: 'Missing', problems: [expect.stringContaining('verify the chain')] });
  });
});
