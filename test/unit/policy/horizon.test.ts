import { describe, expect, test } from '@jest/globals';
import { answerHolds } from '../../../src/policy/horizon.ts';
import type { ParamsInput, PolicyInput } from '../../../src/policy/input.ts';

const NOW = 1_000_000;
const FAR = 1_000_000_000;
const durations = { certExpiryWindow: FAR, purgeGrace: FAR, purgeInterval: FAR, holdReviewInterval: FAR, scanInterval: FAR };
const params = (changes: Partial<ParamsInput> = {}): ParamsInput => ({ minTLSVersion: '1.2', minRSABits: 1, minECBits: 1, minHSTSMaxAge: 1, maxIndeterminateRows: 0, ...durations, ...changes });
const input = (changes: object = {}, asked: Partial<ParamsInput> = {}): PolicyInput => ({ now: NOW, store: { name: 'analytics', namespace: 'platform-db', engine: 'PostgreSQL', residency: { country: 'DE' } }, facts: {}, params: params(asked), ...changes }) as PolicyInput;

/** Where an instant may stand in what is known of a store. */
const places: [string, (at: number) => object][] = [
  ['when the transport was looked at', (at) => ({ facts: { transport: { observedAt: at } } })],
  ['until when that counts', (at) => ({ facts: { transport: { validUntil: at } } })],
  ['from when a certificate counts', (at) => ({ facts: { transport: { certificate: { notBefore: at } } } })],
  ['until when it does', (at) => ({ facts: { transport: { certificate: { notAfter: at } } } })],
  ['when the tables were looked at', (at) => ({ facts: { coverage: { observedAt: at } } })],
  ['until when that counts', (at) => ({ facts: { coverage: { validUntil: at } } })],
  ['when entry points were asked', (at) => ({ facts: { entryPoints: { observedAt: at } } })],
  ['until when that counts', (at) => ({ facts: { entryPoints: { validUntil: at } } })],
  ['when rows were counted', (at) => ({ facts: { retention: { observedAt: at } } })],
  ['until when that counts', (at) => ({ facts: { retention: { validUntil: at } } })],
  ['since when the oldest row of the second collection is due', (at) => ({ facts: { retention: { collections: [{}, { oldestDueAt: at }] } } })],
  ['when the second hold is to be looked at', (at) => ({ holds: [{}, { reviewAt: at }] })],
  ['when the second purge was verified last', (at) => ({ purges: [{}, { lastVerifiedAt: at }] })],
  ['when nothing was due', (at) => ({ purges: [{ nothingDueAt: at }] })],
  ['when the next run is due', (at) => ({ purges: [{ nextDueAt: at }] })],
];

describe('an answer holds until the instant may turn it that says', () => {
  test.each(places)('%s', (_, at) => {
    expect(answerHolds(input(at(NOW + 10)))).toBe(NOW + 10);
    // A comparison that includes the instant turns a second later.
    expect(answerHolds(input(at(NOW)))).toBe(NOW + 1);
  });

  test.each(Object.keys(durations))('%s before it, and after it', (name) => {
    const [, next] = places.at(-1)!;
    expect(answerHolds(input(next(NOW + 6_000), { [name]: 5_000 }))).toBe(NOW + 1_000);
    expect(answerHolds(input(next(NOW - 6_000), { [name]: 7_000 }))).toBe(NOW + 1_000);
  });

  test('that it is not from a clock ahead of ours any more: a minute before it', () => {
    expect(answerHolds(input({ facts: { transport: { observedAt: NOW + 65 } } }))).toBe(NOW + 5);
  });

  test('the first of several, and none where nothing is known of when', () => {
    expect(answerHolds(input({ holds: [{ reviewAt: NOW + 30 }, { reviewAt: NOW + 20 }], purges: [{ nextDueAt: NOW + 25 }] }))).toBe(NOW + 20);
    expect(answerHolds(input())).toBe(Infinity);
    expect(answerHolds(input({ holds: [{ reviewAt: NOW - 2 * FAR }] }))).toBe(Infinity);
  });
});
