import { Writable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { describeError, errorMessage, maskCredentials, redact, REDACTED } from '../../../src/telemetry/redact.ts';
import { TerminalError } from '../../../src/runtime/result.ts';
import { fc } from '../../support/properties.ts';

const PEM = '-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----';

describe('redaction by name', () => {
  test.each(['password', 'PASSWORD', 'dbPassword', 'passphrase', 'token', 'accessToken', 'secret', 'clientSecret', 'authorization', 'Cookie', 'privateKey', 'private_key', 'encryption-key', 'credentials', 'hmacKey', 'connectionString', 'tokenItems', 'secretAlarms'])('the value of "%s" is hidden at any depth', (name) => {
    expect(JSON.stringify(redact({ a: [{ b: { [name]: 'hunter2' } }] }))).not.toContain('hunter2');
  });

  test.each<[string, unknown]>([['secretRef', 'orders-db'], ['secretName', 'orders-db'], ['tokenFile', '/var/run/token'], ['rows', 12], ['key', 'shop/orders'], ['object', 'shop/orders'], ['passed', 3], ['author', 'me']])('"%s" stays, since it gives nothing away', (name, value) => {
    expect(redact({ [name]: value })).toEqual({ [name]: value });
  });

  test('rows and bound values are hidden, their count is not', () => {
    expect(redact({ rows: [{ email: 'jane@example.com' }], values: ['jane'], params: { a: 'jane' } })).toEqual({ rows: REDACTED, values: REDACTED, params: REDACTED });
  });

  test('cycles, depth, binary data, functions, maps and dates become plain data', () => {
    const cycle: Record<string, unknown> = { at: new Date(0), bytes: Buffer.from('hunter2'), run: () => 1, big: 10n, map: new Map([['token', 'x']]), set: new Set(['y']), none: null };
    cycle['self'] = cycle;
    expect(redact(cycle)).toEqual({ at: '1970-01-01T00:00:00.000Z', bytes: '[7 bytes]', run: '[function]', big: '10', map: { token: REDACTED }, set: { 0: 'y' }, none: null, self: '[circular]' });
    let deep: unknown = 'end';
    for (let level = 0; level < 50; level += 1) deep = { deep };
    expect(JSON.stringify(redact(deep))).toContain('[too deep]');
  });

  test('whatever the value: it can be written as JSON, and a secret inside does not get out', () => {
    fc.assert(
      fc.property(fc.anything({ withDate: true, withMap: true, withSet: true, withBigInt: true, withTypedArray: true, withNullPrototype: true }), (value) => {
        const text = JSON.stringify(redact({ value, deeper: { list: [value, { apiToken: 'hunter2', nested: { password: ['hunter2'] } }] } }));
        expect(text).not.toContain('hunter2');
      }),
    );
  });
});

describe('redaction inside texts', () => {
  test.each([
    ['postgres://app:hunter2@db:5432/orders', `postgres://${REDACTED}@db:5432/orders`],
    ['connect redis://:hunter2@cache failed', `connect redis://${REDACTED}@cache failed`],
    ['Authorization: Bearer hunter2hunter2', `Authorization: Bearer ${REDACTED}`],
    ['host=db password=hunter2 user=app', `host=db password=${REDACTED} user=app`],
    ["password='hunter2 x' next", `password=${REDACTED} next`],
    [`key ${PEM} end`, `key ${REDACTED} end`],
    ['eyJhbGciOi.eyJzdWIiOi.c2ln', REDACTED],
    ['AGE-SECRET-KEY-1ABCDEF', REDACTED],
    ['https://db.example.com/path', 'https://db.example.com/path'],
    ['nothing to hide', 'nothing to hide'],
  ])('%s', (text, expected) => {
    expect(maskCredentials(text)).toBe(expected);
  });
});

describe('errors', () => {
  test.each([
    ['a unique violation', 'duplicate key value violates unique constraint "users_email" Key (email)=(jane@example.com) already exists.', 'duplicate key value violates unique constraint "…" Key (email)=(…) already exists.'],
    ['a name in a violated key', 'Key (name)=(Jane Doe) is still referenced', 'Key (name)=(…) is still referenced'],
    ['a bad literal', "invalid input syntax for type date: 'jane'", "invalid input syntax for type date: '…'"],
    ['a phone number', 'row 49301234567 failed', 'row … failed'],
    ['an address', 'cannot deliver to jane.doe@example.com today', 'cannot deliver to … today'],
  ])('%s loses the value', (_name, message, expected) => {
    expect(errorMessage(new Error(message))).toBe(expected);
  });

  test('messages written for people stay, but for credentials', () => {
    expect(errorMessage(new TerminalError('R', 'DataStore "orders" at postgres://a:b@h'))).toBe(`DataStore "orders" at postgres://${REDACTED}@h`);
  });

  test('carry class, code, places and causes, and never their own fields', () => {
    const error = Object.assign(new Error('outer "jane"', { cause: new TypeError("inner 'jane'") }), { code: '23505', detail: 'Key (email)=(jane)', status: 'has spaces jane' });
    const described = describeError(error);
    expect(described).toMatchObject({ name: 'Error', code: '23505', message: 'outer "…"', cause: { name: 'TypeError', message: "inner '…'" } });
    expect(JSON.stringify(described)).not.toContain('jane');
    expect((described['at'] as string[])[0]).toMatch(/^at /);
  });

  test.each([undefined, null, 42, { message: 'jane' }])('a thrown %p is no way to leak either', (thrown) => {
    expect(errorMessage(thrown)).not.toContain('jane');
  });

  test('an error without words is named, several are joined', () => {
    expect(errorMessage(new TypeError(''))).toBe('TypeError');
    expect(errorMessage(new AggregateError([new Error('a'), new Error('b')], ''))).toBe('a; b');
  });
});

describe('the logger', () => {
  const setUp = (level: 'error' | 'debug' = 'debug') => {
    let text = '';
    const stream = new Writable({
      write(chunk, _encoding, next) {
        text += String(chunk);
        next();
      },
    });
    return { logger: createLogger({ level, stream, fields: { version: '1' } }), lines: () => text.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line) as Record<string, unknown>) };
  };

  test('writes one JSON line with time, level, message, its own and its children\'s fields', () => {
    const { logger, lines } = setUp();
    logger.child({ controller: 'x' }).info('hello', { rows: 3 });
    expect(lines()).toEqual([{ time: expect.stringMatching(/^\d{4}-.*Z$/), level: 'info', message: 'hello', version: '1', controller: 'x', rows: 3 }]);
  });

  test('redacts fields, errors and the message itself', () => {
    const { logger, lines } = setUp();
    logger.error('cannot reach postgres://a:hunter2@h', { password: 'hunter2', error: new Error("value 'hunter2'"), more: { token: 'hunter2' } });
    expect(JSON.stringify(lines())).not.toContain('hunter2');
    expect(lines()[0]).toMatchObject({ error: { name: 'Error' } });
  });

  test('a field named message, level or time does not change the line', () => {
    const { logger, lines } = setUp();
    logger.info('hello', { message: ' world', level: 'error', time: 'never' });
    expect(lines()[0]).toMatchObject({ message: 'hello', level: 'info' });
  });

  test('writes nothing below its level', () => {
    const { logger, lines } = setUp('error');
    logger.warn('quiet');
    logger.error('loud');
    expect(lines().map((line) => line['message'])).toEqual(['loud']);
  });
});
