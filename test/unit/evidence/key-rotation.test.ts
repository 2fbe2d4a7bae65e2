import { describe, expect, test } from '@jest/globals';
import { openAuditLog } from '../../../src/evidence/audit/log.ts';
import { signCheckpoint } from '../../../src/evidence/audit/checkpoint.ts';
import { verifyAuditLog } from '../../../src/evidence/audit/verify.ts';
import type { Json } from '../../../src/evidence/canonical.ts';
import { followRotations, KEY_ROTATED, rotateKey } from '../../../src/evidence/key-rotation.ts';
import { generateSigningKey, type PublicKeys, type SigningKey } from '../../../src/evidence/keys.ts';
import { entry, NOON, withFolder } from '../../support/chain.ts';

const [first, second, third, stranger] = [generateSigningKey(), generateSigningKey(), generateSigningKey(), generateSigningKey()];
const known: PublicKeys = new Map([[first.keyId, first.publicKey]]);

/** Ids of the keys an auditor who knows the first one ends up trusting. */
async function trustedAfter(...rotations: Record<string, Json>[]): Promise<string[]> {
  return withFolder(async (dir) => {
    const log = await openAuditLog({ dir, clock: () => NOON });
    for (const refs of rotations) {
      await log.append({ ...entry(1), action: KEY_ROTATED, refs });
      await log.append(entry(2));
    }
    await log.close();
    return [...(await followRotations(dir, known)).keys()];
  });
}

describe('an auditor who knows one key', () => {
  test('comes to trust its successors one after the other', async () => {
    expect(await trustedAfter(rotateKey(first, second), rotateKey(second, third))).toEqual([first.keyId, second.keyId, third.keyId]);
  });

  const forged = (change: object) => ({ ...rotateKey(first, second), ...change });
  test.each<[string, Record<string, Json>]>([
    ['of a key nobody knows', rotateKey(stranger, second)],
    ['that the old key did not sign', forged({ sigFrom: rotateKey(stranger, second).sigFrom })],
    ['that the new key did not sign', forged({ sigTo: rotateKey(first, stranger).sigTo })],
    ['to a key under the id of another', forged({ to: third.keyId })],
    ['to a key put in afterwards', forged({ publicKey: rotateKey(first, stranger).publicKey, to: stranger.keyId })],
    ['to what is no key', forged({ publicKey: 'AAAA' })],
    ['that lacks a member', { from: first.keyId }],
  ])('does not follow a rotation %s', async (_name, refs) => {
    expect(await trustedAfter(refs)).toEqual([first.keyId]);
  });

  test('verifies checkpoints of both', async () => {
    await withFolder(async (dir) => {
      const log = await openAuditLog({ dir, clock: () => NOON });
      const sign = (key: SigningKey) => signCheckpoint(log.chainId, log.head(), key, NOON);
      const checkpoints = [sign(first)];
      await log.append({ ...entry(1), action: KEY_ROTATED, refs: rotateKey(first, second) });
      checkpoints.push(sign(second));
      await log.close();
      expect(await verifyAuditLog({ dir, checkpoints, publicKeys: known })).toMatchObject({ ok: false, rejected: [{ reason: 'UnknownKey' }] });
      expect(await verifyAuditLog({ dir, checkpoints, publicKeys: await followRotations(dir, known) })).toMatchObject({ ok: true });
    });
  });
});
