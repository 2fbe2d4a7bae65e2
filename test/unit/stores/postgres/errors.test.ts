import { describe, expect, test } from '@jest/globals';
import { StoreError } from '../../../../src/stores/errors.ts';
import { faultOf, sqlState, toStoreError } from '../../../../src/stores/postgres/errors.ts';

const context = { store: 'shop/main', host: 'db.example', port: 5432, database: 'shop', username: 'observer' };
const fromServer = (code: string, more: object = {}): unknown => Object.assign(new Error('said jane@example.com'), { code, severity: 'ERROR', detail: 'Key (mail)=(jane@example.com) exists.', where: 'row jane@example.com', hint: 'jane@example.com', ...more });
/** Said of a statement of ours, not of one within a function. */
const ofOurs = { where: undefined };

describe('an error of the server', () => {
  test.each([
    ['28P01', 'AuthenticationFailed'],
    ['28000', 'AuthenticationFailed'],
    ['3D000', 'NotFound'],
    ['42P01', 'NotFound'],
    ['42703', 'NotFound'],
    ['42501', 'PermissionDenied'],
    ['42883', 'Conflict'],
    ['23503', 'Conflict'],
    ['40P01', 'Conflict'],
    ['55P03', 'Conflict'],
    ['57014', 'LimitReached'],
    ['25P03', 'LimitReached'],
    ['53200', 'LimitReached'],
    ['53300', 'Unreachable'],
    ['57P01', 'Unreachable'],
    ['57P03', 'Unreachable'],
    ['XX001', 'Failed'],
    ['P0001', 'Failed'],
  ])('%s is %s, and keeps its code', (code, reason) => {
    const error = toStoreError(fromServer(code, ofOurs), context);
    expect(error.reason).toBe(reason);
    expect(sqlState(error)).toBe(code);
    expect(error.message).toContain('DataStore shop/main (db.example:5432/shop)');
  });

  test('row security is told from a missing privilege whatever the server\'s language', () => {
    expect(toStoreError(fromServer('42501', { ...ofOurs, routine: 'check_enable_rls' }), context).reason).toBe('RowsHidden');
    expect(toStoreError(fromServer('42501', { ...ofOurs, routine: 'aclcheck_error' }), context).reason).toBe('PermissionDenied');
  });

  test.each(['22P02', '22008', '23505', '23514', 'P0001', 'XX000', '40001', '57014'])('%s passes no text on that could quote a row', (code) => {
    const error = toStoreError(fromServer(code, { schema: 'public', table: 'people', constraint: 'people_mail_key' }), context);
    expect(`${error.message} ${error.stack} ${JSON.stringify(error.cause)}`).not.toContain('jane');
    expect(error.message).toContain('table public.people, constraint people_mail_key');
    expect(faultOf(error)).toEqual({ code, schema: 'public', table: 'people', constraint: 'people_mail_key' });
  });

  test.each<[string, object]>([
    ['a function of PL/pgSQL', { routine: 'exec_stmt_raise', where: 'PL/pgSQL function refuse() line 1 at RAISE', table: 'jane@example.com', constraint: 'jane@example.com' }],
    ['a function of PL/pgSQL, without a context', { routine: 'exec_stmt_raise', where: undefined, schema: 'public', table: 'jane@example.com' }],
    ['a function of another language', { routine: 'PLy_elog_impl', where: 'PL/Python function "refuse"' }],
  ])('what %s raises is not passed on, although its code is one of a message that names objects', (_what, more) => {
    const error = toStoreError(fromServer('42501', more), context);
    expect(error.message).toMatch(/a function of the store.*its words are in the server's log.*\(SQLSTATE 42501/);
    expect(`${error.message} ${error.stack} ${JSON.stringify(error.cause)}`).not.toContain('jane');
  });

  test.each<[string, string, object, string, RegExp]>([
    ['refuses by RAISE with the code of a missing privilege', '42501', { routine: 'exec_stmt_raise' }, 'Failed', /refuses it or fails/],
    ['refuses in another language', '42501', { routine: 'PLy_elog_impl' }, 'Failed', /refuses it or fails/],
    ['raises the code of a wrong password', '28P01', { routine: 'exec_stmt_raise' }, 'Failed', /refuses it or fails/],
    ['looks for a table that was dropped', '42P01', { routine: 'parserOpenTable' }, 'Failed', /refuses it or fails/],
    ['uses a table it may not', '42501', { routine: 'aclcheck_error' }, 'PermissionDenied', /lacks a privilege.*observer/],
    ['uses a column it may not', '42501', { routine: 'aclcheck_error_col' }, 'PermissionDenied', /lacks a privilege.*observer/],
  ])('a function of the store that %s is told from our own statement', (_how, code, more, reason, message) => {
    const error = toStoreError(fromServer(code, more), context);
    expect(error).toMatchObject({ reason, message: expect.stringMatching(message) });
    expect(error.message).not.toMatch(/jane|data map|password of/);
  });

  test('a wait for a row is not laid at the door of a function, though the server says where it waited', () => {
    expect(toStoreError(fromServer('55P03', { routine: 'ProcessInterrupts' }), context)).toMatchObject({ reason: 'Conflict', message: expect.not.stringContaining('function') });
  });

  test('detail and hint are dropped even where the message names objects only', () => {
    const error = toStoreError(Object.assign(fromServer('42501', { where: undefined }) as Error, { message: 'permission denied for table people' }), context);
    expect(error.message).toContain('permission denied for table people');
    expect(`${error.message} ${JSON.stringify(error.cause)}`).not.toContain('jane');
  });
});

describe('a failure below SQL', () => {
  test.each([
    ['ECONNREFUSED', '', 'Unreachable'],
    ['ENOTFOUND', '', 'Unreachable'],
    ['ECONNRESET', '', 'Unreachable'],
    ['ETIMEDOUT', '', 'Unreachable'],
    ['', 'timeout expired', 'Unreachable'],
    ['', 'Connection terminated unexpectedly', 'Unreachable'],
    ['CERT_HAS_EXPIRED', '', 'TLSUntrusted'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', '', 'TLSUntrusted'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', '', 'TLSUntrusted'],
    ['', 'The server does not support SSL connections', 'TLSRefused'],
    ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', '', 'TLSRefused'],
    ['EPROTO', '', 'TLSRefused'],
    ['', 'SASL: SCRAM-SERVER-FINAL-MESSAGE: server signature does not match', 'AuthenticationFailed'],
    ['', 'Cannot read properties of undefined', 'Failed'],
  ])('%s%s is %s', (code, message, reason) => {
    const error = toStoreError(Object.assign(new Error(message), code === '' ? {} : { code }), context);
    expect(error.reason).toBe(reason);
    expect(sqlState(error)).toBeUndefined();
  });

  test('a refusal of our own stays as it is', () => {
    const own = new StoreError('Frozen', 'frozen');
    expect(toStoreError(own, context)).toBe(own);
    expect(sqlState(own)).toBeUndefined();
    expect(sqlState('no error at all')).toBeUndefined();
  });
});
