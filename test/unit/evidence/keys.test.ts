import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { generateSigningKey, loadOrCreateSigningKey, loadPublicKeys, loadSigningKey, publicKeyPem, signText, verifyText } from '../../../src/evidence/keys.ts';
import { looksPersonal, nameOrPseudonym, pseudonym } from '../../../src/evidence/pseudonym.ts';
import { withFolder } from '../../support/chain.ts';

describe('a signing key', () => {
  test('is made once, for its owner only, and found again', async () => {
    await withFolder(async (dir) => {
      const path = join(dir, 'key.pem');
      const [one, other] = await Promise.all([loadOrCreateSigningKey(path), loadOrCreateSigningKey(path)]);
      expect(one.keyId).toBe(other.keyId);
      expect(one.keyId).toMatch(/^[0-9a-f]{16}$/);
      expect((await loadSigningKey(path)).keyId).toBe(one.keyId);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(verifyText('text', signText('text', one), other.publicKey)).toBe(true);
    });
  });

  test('has the id openssl and sha256sum compute', async () => {
    await withFolder(async (dir) => {
      const path = join(dir, 'key.pem');
      const { keyId } = await loadOrCreateSigningKey(path);
      const { stdout } = spawnSync('bash', ['-c', 'openssl pkey -in "$0" -pubout -outform DER | sha256sum | cut -c1-16', path], { encoding: 'utf8' });
      expect(keyId).toBe(stdout.trim());
    });
  });

  test.each([[0o644], [0o604], [0o660], [0o602]])('with mode %o is refused', async (mode) => {
    await withFolder(async (dir) => {
      const path = join(dir, 'key.pem');
      await loadOrCreateSigningKey(path);
      chmodSync(path, mode);
      await expect(loadSigningKey(path)).rejects.toThrow(`has mode ${mode.toString(8)}; make it 600`);
    });
  });

  test('may be read by its group, as a mounted Secret is', async () => {
    await withFolder(async (dir) => {
      const path = join(dir, 'key.pem');
      const { keyId } = await loadOrCreateSigningKey(path);
      chmodSync(path, 0o440);
      expect((await loadSigningKey(path)).keyId).toBe(keyId);
    });
  });

  test('of another algorithm, or no key at all, is refused without quoting the file', async () => {
    await withFolder(async (dir) => {
      const path = join(dir, 'key.pem');
      spawnSync('openssl', ['genpkey', '-algorithm', 'ed448', '-out', path]);
      chmodSync(path, 0o600);
      await expect(loadSigningKey(path)).rejects.toThrow('is a ed448 key; Ed25519 is needed');
      writeFileSync(path, 'hunter2');
      await expect(loadSigningKey(path)).rejects.toThrow('is not a PEM key');
      await expect(loadSigningKey(path)).rejects.not.toThrow('hunter2');
    });
  });
});

describe('a folder of public keys', () => {
  test('is read by key id', async () => {
    await withFolder(async (dir) => {
      const keys = [generateSigningKey(), generateSigningKey()];
      keys.forEach((key, i) => writeFileSync(join(dir, `${i}.pem`), publicKeyPem(key)));
      writeFileSync(join(dir, 'README'), 'not a key');
      expect([...(await loadPublicKeys(dir)).keys()].sort()).toEqual(keys.map((key) => key.keyId).sort());
    });
  });

  test('with a private key, or something else, in it is refused', async () => {
    await withFolder(async (dir) => {
      await loadOrCreateSigningKey(join(dir, 'key.pem'));
      await expect(loadPublicKeys(dir)).rejects.toThrow('holds a private key');
      writeFileSync(join(dir, 'key.pem'), readFileSync(import.meta.filename));
      await expect(loadPublicKeys(dir)).rejects.toThrow('is not a PEM key');
    });
  });
});

test('a signature has one spelling only', () => {
  const key = generateSigningKey();
  const signature = signText('text', key);
  expect(verifyText('text', signature, key.publicKey)).toBe(true);
  for (const other of [` ${signature}`, `${signature}\n`, signature.replace(/==$/, ''), signature.replaceAll('+', '-').replace(/=+$/, '='), '']) {
    expect(verifyText('text', other, key.publicKey)).toBe(false);
  }
});

describe('pseudonyms', () => {
  const key = new Uint8Array(32).fill(7);

  test('are the same for the same value under the same key only', () => {
    expect(pseudonym('jane@example.com', key)).toBe(pseudonym('jane@example.com', key));
    expect(pseudonym('jane@example.com', key)).not.toBe(pseudonym('jane@example.com', new Uint8Array(32).fill(8)));
    expect(pseudonym('Ame\u0301lie', key)).toBe(pseudonym('Am\u00e9lie', key));
    expect(pseudonym('x', key)).toMatch(/^hmac-sha256:[0-9a-f]{64}$/);
  });

  test('need a key that cannot be guessed', () => {
    expect(() => pseudonym('x', new Uint8Array(8))).toThrow('at least 32 bytes, not 8');
  });
});

describe('a declared name', () => {
  const key = new Uint8Array(32).fill(7);
  test.each(['client-a', 'Müller & Söhne', '17', 'tenant_0042'])('%s stays as it is', (name) => {
    expect(nameOrPseudonym(name, key)).toBe(name);
  });
  test.each(['jane@example.com', '491701234567', 'a\u007fb', 'a\nb', '', 'x'.repeat(301)])('%j becomes a pseudonym', (name) => {
    expect(nameOrPseudonym(name, key)).toBe(pseudonym(name, key));
  });
});

describe('a text looks personal', () => {
  test.each([
    [true, 'jane.doe@example.com'],
    [true, '203.0.113.7'],
    [true, '2001:db8:0:1::2'],
    [true, '+49 170 123 45 67'],
    [true, 'account 12345678901'],
    [false, 'backups taken before 2026-11-24T12:00:00Z'],
    [false, 'backups until 2026-11-24 and 2027-01-01'],
    [false, 'replica logs of cluster 12'],
    [false, 'client-a'],
    [false, 'matter 2026-014'],
    [false, 'PostgreSQL 15.18'],
  ])('%s: %s', (expected, text) => {
    expect(looksPersonal(text)).toBe(expected);
  });
});
