import { describe, expect, test } from '@jest/globals';
import { signCheckpoint, type Checkpoint } from '../../../../src/evidence/audit/checkpoint.ts';
import { openingOf, predecessorsIn, recordMissing, type Predecessor } from '../../../../src/evidence/audit/predecessors.ts';
import { openAuditLog } from '../../../../src/evidence/audit/log.ts';
import { generateSigningKey } from '../../../../src/evidence/keys.ts';
import { entry, NOON, withFolder } from '../../../support/chain.ts';

const ours = generateSigningKey();
const strange = generateSigningKey();
const keys = new Map([[ours.keyId, ours.publicKey]]);
const signed = (chainId: string, seq: number, key = ours, at = NOON): Checkpoint => signCheckpoint(chainId, { seq, hash: String(seq % 10).repeat(64) }, key, at);
const found = (checkpoints: Checkpoint[]): [string, number, string][] => predecessorsIn(checkpoints, 'now', keys).map(({ chainId, seq, signature }) => [chainId, seq, signature]);

describe('of checkpoints of earlier chains', () => {
  test.each<[string, Checkpoint[], [string, number, string][]]>([
    ['the newest of each chain counts', [signed('a', 3), signed('a', 9), signed('a', 7), signed('b', 1)], [['a', 9, 'Valid'], ['b', 1, 'Valid']]],
    ['those of this chain say nothing', [signed('now', 3)], []],
    ['one under another key is told as such', [signed('a', 3, strange)], [['a', 3, 'UnknownKey']]],
    ['what a stranger adds does not outdo what we signed', [signed('a', 900, strange), signed('a', 3), signed('a', 901, strange)], [['a', 3, 'Valid']]],
    ['a forgery under a key of ours is none', [{ ...signed('a', 3), seq: 4 }], []],
    ['our own come first, then the newest', [signed('x', 1, strange, new Date('2027-01-01T00:00:00Z')), signed('a', 1, ours, new Date('2025-01-01T00:00:00Z')), signed('b', 1)], [['b', 1, 'Valid'], ['a', 1, 'Valid'], ['x', 1, 'UnknownKey']]],
    ['of one time they come by name, in whatever order they are read', [signed('b', 1), signed('a', 1), signed('c', 1)], [['a', 1, 'Valid'], ['b', 1, 'Valid'], ['c', 1, 'Valid']]],
    ['a time that is none goes no further', [{ ...signed('a', 3, strange), ts: '2026-99-99T00:00:00.000Z' }], []],
    ['texts that look like none of ours go no further', [{ ...signed('a', 3, strange), keyId: 'x'.repeat(70_000) }, signed('../a b', 3, strange), { ...signed('c', 3, strange), ts: 'yesterday' }, { ...signed('d', 3, strange), rootHash: 'é' }], []],
  ])('%s', (_, checkpoints, expected) => {
    expect(found(checkpoints)).toEqual(expected);
  });

  test('no more than a hundred are told, so that nobody fills the chain', () => {
    expect(found([...Array.from({ length: 300 }, (_, index) => signed(`s${index}`, 1, strange)), signed('a', 1)])).toHaveLength(100);
    expect(found([...Array.from({ length: 300 }, (_, index) => signed(`s${index}`, 1, strange)), signed('a', 1)])[0]).toEqual(['a', 1, 'Valid']);
  });
});

test('a chain tells which ones it has put down as missing, and takes more of them until it holds anything else', async () => {
  await withFolder(async (dir) => {
    const log = await openAuditLog({ dir, clock: () => NOON });
    expect(await openingOf(dir)).toEqual({ missing: [], open: true });
    const [gone, other] = predecessorsIn([signed('a', 3), signed('b', 1, strange)], log.chainId, keys) as [Predecessor, Predecessor];
    await recordMissing(log, 'dataward', [gone, other]);
    expect(await openingOf(dir)).toEqual({ missing: [gone, other], open: true });
    await log.append(entry(1));
    await recordMissing(log, 'dataward', [{ ...gone, chainId: 'late' }]);
    expect(await openingOf(dir)).toEqual({ missing: [gone, other], open: false });
    await log.close();
  });
});

test('what a record says that no writer of ours wrote is not repeated to people', async () => {
  await withFolder(async (dir) => {
    const log = await openAuditLog({ dir, clock: () => NOON });
    const whole = { ...signed('a', 3), signature: 'Valid' };
    const odd = ['chainId', 'rootHash', 'ts', 'keyId', 'seq', 'signature'].map((member) => ({ ...whole, [member]: member === 'seq' ? '3' : 3 }));
    for (const refs of [...odd, { ...whole, seq: 1.5 }, {}, { chainId: 7 }, { ...signed('a', 3), signature: 'Valid', ts: '\u001b[2J' }, { ...signed('a', 3), signature: 'Fine' }]) {
      await log.append({ ...entry(1), action: 'chain.predecessor-missing', refs });
    }
    expect(await openingOf(dir)).toEqual({ missing: [], open: true });
    await log.close();
  });
});
