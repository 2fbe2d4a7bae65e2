import { describe, expect, test } from '@jest/globals';
import type { EntryPointAnswer } from '../../../src/connect/entry-points.ts';
import { answerOfPlace, hstsMaxAge, leadsToTls, worstAnswer, type PortAnswer } from '../../../src/entrypoints/answer.ts';
import { fc, runs } from '../../support/properties.ts';

const tls: PortAnswer = { port: 'tls', named: true, hstsMaxAge: 100 };
const redirect: PortAnswer = { port: 'plain', redirects: true };
const open: PortAnswer = { port: 'plain', redirects: false };
const closed: PortAnswer = { port: 'closed' };
const silent: PortAnswer = { port: 'silent' };
const neither: PortAnswer = { port: 'neither' };

test.each<[string, PortAnswer[], EntryPointAnswer]>([
  ['TLS and a redirect to it', [redirect, tls], { https: 'Served', http: 'Redirects', hstsMaxAge: 100 }],
  ['TLS and nothing else', [closed, tls], { https: 'Served', http: 'Closed', hstsMaxAge: 100 }],
  ['TLS beside plain HTTP', [open, tls], { https: 'Served', http: 'Open', hstsMaxAge: 100 }],
  ['one of two plain ports that serves', [open, redirect, tls], { https: 'Served', http: 'Open', hstsMaxAge: 100 }],
  ['a certificate for others', [closed, { ...tls, named: false }], { https: 'OtherName', http: 'Closed', hstsMaxAge: 100 }],
  ['a certificate for others at one of two ports', [tls, { ...tls, named: false }], { https: 'OtherName', http: 'Closed', hstsMaxAge: 100 }],
  ['TLS that speaks no HTTP', [closed, { port: 'tls', named: true }], { https: 'Served', http: 'Closed' }],
  ['plain HTTP alone', [open, closed], { https: 'Refused', http: 'Open' }],
  ['something that listens and speaks neither, as TLS of long ago does', [neither, closed], { https: 'Refused', http: 'Closed' }],
  ['a plain port nobody could reach is not known to be closed', [silent, tls], { https: 'Served', hstsMaxAge: 100 }],
  ['a TLS port nobody could reach is not known to refuse', [redirect, silent], { http: 'Redirects' }],
  ['nothing that listens says nothing about TLS', [closed, closed], {}],
  ['silence says nothing', [silent, silent], {}],
  ['no port says nothing', [], {}],
])('of one place: %s', (_, ports, want) => expect(answerOfPlace(ports)).toEqual(want));

describe('of several places', () => {
  const good: EntryPointAnswer = { https: 'Served', http: 'Closed', hstsMaxAge: 100 };
  test.each<[string, EntryPointAnswer[], EntryPointAnswer]>([
    ['none at all is unknown', [], {}],
    ['all alike', [good, good], good],
    ['the worst counts', [good, { https: 'Refused', http: 'Open' }], { https: 'Refused', http: 'Open' }],
    ['what one left open stays open', [good, {}], {}],
    ['but not a failure that is certain', [{ https: 'OtherName', http: 'Open' }, {}], { https: 'OtherName', http: 'Open' }],
    ['the shortest time binds', [good, { ...good, hstsMaxAge: 7 }], { ...good, hstsMaxAge: 7 }],
  ])('%s', (_, answers, want) => expect(worstAnswer(answers)).toEqual(want));

  test('never say more than each of them, in whatever order', () => {
    const answer = fc.record({ https: fc.constantFrom('Served' as const, 'OtherName' as const, 'Refused' as const), http: fc.constantFrom('Closed' as const, 'Redirects' as const, 'Open' as const), hstsMaxAge: fc.nat(9) }, { requiredKeys: [] });
    fc.assert(
      fc.property(fc.array(answer, { minLength: 1, maxLength: 4 }), (answers) => {
        const worst = worstAnswer(answers);
        expect(worstAnswer(answers.toReversed())).toEqual(worst);
        if (worst.https === 'Served') expect(answers.every(({ https }) => https === 'Served')).toBe(true);
        if (worst.http === 'Closed' || worst.http === 'Redirects') expect(answers.every(({ http }) => http === 'Closed' || http === 'Redirects')).toBe(true);
        if (worst.hstsMaxAge !== undefined) expect(answers.every(({ hstsMaxAge: age = -1 }) => age >= worst.hstsMaxAge!)).toBe(true);
      }),
      { numRuns: runs(200) },
    );
  });
});

test.each<[string, string | undefined, number]>([
  ['none', undefined, 0],
  ['as it is mostly written', 'max-age=31536000; includeSubDomains; preload', 31_536_000],
  ['in quotes, in capitals, with spaces', 'includeSubDomains ;  Max-Age = "300"', 300],
  ['the end of it', 'max-age=0', 0],
  ['without a number', 'max-age=always', 0],
  ['a negative one', 'max-age=-1', 0],
  ['twice in one header, which browsers refuse', 'max-age=5; max-age=6', 0],
  ['the first of two headers', 'max-age=5, max-age=6', 5],
  ['another directive that ends alike', 'x-max-age=5', 0],
])('Strict-Transport-Security: %s', (_, header, want) => expect(hstsMaxAge(header)).toBe(want));

test.each<[string, number, string | undefined, boolean]>([
  ['on the same host', 301, 'https://a.example/', true],
  ['on another host', 308, 'HTTPS://www.a.example/', true],
  ['that is found elsewhere', 302, 'https://a.example/', true],
  ['after a form', 303, 'https://a.example/', true],
  ['for now', 307, 'https://a.example/', true],
  ['to plain HTTP', 301, 'http://www.a.example/', false],
  ['to a path, which stays without TLS', 302, '/login', false],
  ['to whatever scheme it came by', 302, '//a.example/', false],
  ['without saying where', 301, undefined, false],
  ['to an address that has it in its middle', 301, 'http://a.example/?to=https://a.example/', false],
  ['in an answer that is no redirect', 200, 'https://a.example/', false],
  ['in a list of choices', 300, 'https://a.example/', false],
])('a redirect %s', (_, status, location, want) => expect(leadsToTls(status, location)).toBe(want));
