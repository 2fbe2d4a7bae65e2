import { describe, expect, test } from '@jest/globals';
import { ConnectionError, type StoreConnections } from '../../../src/connect/stores.ts';
import { authorized } from '../../../src/datastore/authorized.ts';
import { noteFailure, tryOthers, type Login, type Logins } from '../../../src/datastore/logins.ts';
import { StoreError } from '../../../src/stores/errors.ts';
import { aStore } from '../../support/declared.ts';

const hung = new StoreError('Unreachable', 'no answer');
const refused = new StoreError('AuthenticationFailed', 'the password is wrong');

/** Tries what is not tried yet; `broken` says how a login fails. */
async function tried(logins: Logins, broken: Partial<Record<string, Error>> = {}): Promise<{ opened: string[]; left: number; logins: Logins }> {
  const opened: string[] = [];
  let left = 0;
  const open = async (identity: string): Promise<unknown> => {
    opened.push(identity);
    const error = broken[identity];
    if (error) throw error;
    left += 1;
    return { missingRights: async () => [], close: async () => void (left -= 1) };
  };
  const connections = { reader: (_store: unknown, purpose: string) => open(purpose), writer: () => open('enforce') } as unknown as StoreConnections;
  await tryOthers(aStore(), logins, [{ schema: 'public', name: 'views' }], { connections, signal: new AbortController().signal });
  return { opened, left, logins };
}

describe('identities are tried one after the other', () => {
  test.each<[string, Logins, Partial<Record<string, Error>>, string[], Record<string, Login | undefined>]>([
    ['the verifying one, where the others were', { observe: 'Works', enforce: 'Works' }, {}, ['verify'], { verify: 'Works' }],
    ['all, also after one that is known to be refused', {}, { observe: refused, enforce: refused }, ['observe', 'enforce', 'verify'], { enforce: { reason: 'AuthenticationFailed', message: refused.message }, verify: 'Works' }],
    ['no other after one that got no answer', { observe: 'Works' }, { enforce: hung }, ['enforce'], { verify: undefined }],
    ['none where the first look got no answer', { observe: { reason: 'Unreachable', message: 'no answer' } }, {}, [], { enforce: undefined, verify: undefined }],
  ])('%s', async (_, logins, broken, expected, known) => {
    const seen = await tried(logins, broken);
    expect([seen.opened, seen.left]).toEqual([expected, 0]);
    for (const [identity, login] of Object.entries(known)) expect(seen.logins[identity as 'verify']).toEqual(login);
  });

  test('a Secret that is missing is held against the identity it is of, whoever needed its name', () => {
    const logins: Logins = {};
    noteFailure(logins, 'enforce', new ConnectionError('SecretNotFound', 'Secret verify does not exist', 'verify'));
    expect(Object.keys(logins)).toEqual(['verify']);
  });
});

describe('of the identities of a store it is said', () => {
  const wrong = { reason: 'PermissionMissing', message: 'x lacks DELETE' } as const;
  const lost = { reason: 'Unreachable', message: 'no answer' } as const;
  test.each<[string, Logins, typeof lost | undefined, string, RegExp]>([
    ['that all can work', { observe: 'Works', enforce: 'Works', verify: 'Works' }, undefined, 'True Authorized', /observe, enforce, verify/],
    ['that one cannot, which is known, before what is not known', { observe: 'Works', enforce: wrong, verify: lost }, undefined, 'False PermissionMissing', /^Secret platform-db\/enforce \(spec.credentials.enforce\): x lacks DELETE$/],
    ['nothing, where one was not reached', { observe: 'Works', enforce: 'Works', verify: lost }, undefined, 'Unknown Unreachable', /^Not known of verify: no answer$/],
    ['nothing, where the tables were not read and so no right was asked for', { observe: 'LoggedIn', enforce: 'LoggedIn', verify: 'LoggedIn' }, { reason: 'Unreachable', message: 'lost while reading' } as never, 'Unknown Unreachable', /^Not known of observe, enforce, verify: lost while reading$/],
    ['nothing, before the first look', {}, undefined, 'Unknown Progressing', /not tried yet/],
  ])('%s', (_, logins, otherwise, said, message) => {
    const { status, reason, message: words } = authorized(aStore(), logins, otherwise);
    expect([`${status} ${reason}`, words]).toEqual([said, expect.stringMatching(message)]);
  });
});
