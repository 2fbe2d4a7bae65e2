import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import type { Catalogue } from '../../../src/policy/catalogue.ts';
import type { ParamsInput } from '../../../src/policy/input.ts';
import { effectiveDemands, loosened, type ProfileRequest } from '../../../src/policy/profiles.ts';
import { fc } from '../../support/properties.ts';

const catalogue = JSON.parse(readFileSync('policies/bundle/catalogue.json', 'utf8')) as Catalogue;
const profile = (changes: Partial<ProfileRequest> = {}): ProfileRequest => ({ name: 'dataward-system/default', frameworks: [], parameters: {}, ...changes });
const local = (changes: Partial<ProfileRequest>): ProfileRequest => profile({ name: 'shop/own', ...changes });

describe('a profile beside the one that holds for all', () => {
  const table: [string, Partial<ProfileRequest>, Partial<ProfileRequest>, Partial<Record<keyof ParamsInput, unknown>>, string[]][] = [
    ['changes nothing by saying nothing', { parameters: { purgeGrace: 'P2D' } }, {}, { purgeGrace: 172_800 }, []],
    ['may ask for a shorter grace', {}, { parameters: { purgeGrace: 'PT12H' } }, { purgeGrace: 43_200 }, []],
    ['may not ask for a longer grace', {}, { parameters: { purgeGrace: 'P2D' } }, { purgeGrace: 86_400 }, ['spec.parameters.purgeGrace: P2D asks for less than P1D of ComplianceProfile dataward-system/default, which is applied; write P1D or less']],
    ['may ask for a longer warning window', {}, { parameters: { certExpiryWindow: 'P30D' } }, { certExpiryWindow: 2_592_000 }, []],
    ['may not ask for a shorter warning window than the default', {}, { parameters: { certExpiryWindow: 'P7D' } }, { certExpiryWindow: 1_814_400 }, ['spec.parameters.certExpiryWindow: P7D asks for less than P21D of ComplianceProfile dataward-system/default, which is applied; write P21D or more']],
    ['may go below the default where the other did', { parameters: { certExpiryWindow: 'P7D' } }, { parameters: { certExpiryWindow: 'P10D' } }, { certExpiryWindow: 864_000 }, []],
    ['may ask for a later TLS version', {}, { parameters: { minTLSVersion: '1.3' } }, { minTLSVersion: '1.3' }, []],
    ['may not ask for an earlier TLS version', { parameters: { minTLSVersion: '1.3' } }, { parameters: { minTLSVersion: '1.2' } }, { minTLSVersion: '1.3' }, ['spec.parameters.minTLSVersion: 1.2 asks for less than 1.3 of ComplianceProfile dataward-system/default, which is applied; write 1.3 or more']],
    ['may say the same in other words', { parameters: { purgeGrace: 'P1W' } }, { parameters: { purgeGrace: 'P7D' } }, { purgeGrace: 604_800 }, []],
    ['changes nothing by what cannot be used', { parameters: { minRSABits: '4096' } }, { parameters: { minRSABits: 'many' } }, { minRSABits: 4096 }, []],
    ['compares numbers as numbers', { parameters: { minRSABits: '4096' } }, { parameters: { minRSABits: '10000' } }, { minRSABits: 10_000 }, []],
  ];
  test.each(table)('%s', (_, general, own, expected, said) => {
    expect(effectiveDemands(catalogue, [profile(general)], [local(own)]).params).toMatchObject(expected);
    expect(loosened(catalogue, local(own), [profile(general)])).toEqual(said);
  });

  test('adds controls and takes none away', () => {
    const general = profile({ include: ['TRANSIT-01', 'HOLD-01'] });
    const own = local({ include: ['RETAIN-01'], exclude: [{ control: 'TRANSIT-01', reason: 'x' }] });
    expect(effectiveDemands(catalogue, [general], [own]).controls).toEqual(['HOLD-01', 'RETAIN-01', 'TRANSIT-01']);
    expect(loosened(catalogue, own, [general])).toEqual(['spec.controls.exclude: TRANSIT-01 is asked for by ComplianceProfile dataward-system/default and is judged all the same; take it out of the list']);
  });

  test('may leave out what only its own frameworks ask for', () => {
    const own = local({ frameworks: ['gdpr'], exclude: [{ control: 'RETAIN-01', reason: 'x' }] });
    expect(effectiveDemands(catalogue, [profile({ include: ['TRANSIT-01'] })], [own]).controls).not.toContain('RETAIN-01');
    expect(loosened(catalogue, own, [profile({ include: ['TRANSIT-01'] })])).toEqual([]);
  });

  test('holds alone where there is no other', () => {
    expect(effectiveDemands(catalogue, [], [local({ parameters: { purgeGrace: 'P3D' } })]).params.purgeGrace).toBe(259_200);
    expect(loosened(catalogue, local({ parameters: { purgeGrace: 'P3D' } }), [])).toEqual([]);
  });
});

describe('profiles together', () => {
  const days = fc.integer({ min: 1, max: 60 }).map((count) => `P${count}D`);
  const value: Record<string, fc.Arbitrary<string>> = Object.fromEntries(
    Object.entries(catalogue.parameters).map(([name, { schema }]) => {
      const allowed = schema['enum'] as string[] | undefined;
      const usable = allowed ? fc.constantFrom(...allowed) : schema['format'] === 'duration' ? days : fc.integer({ min: schema['minimum'] as number, max: schema['maximum'] as number }).map(String);
      return [name, fc.oneof({ weight: 5, arbitrary: usable }, { weight: 1, arbitrary: fc.constant('nonsense') })];
    }),
  );
  const control = fc.constantFrom(...catalogue.controls.map(({ id }) => id));
  const request = (name: string): fc.Arbitrary<ProfileRequest> =>
    fc.record({
      name: fc.constant(name),
      frameworks: fc.subarray(catalogue.frameworks.map(({ id }) => id)),
      include: fc.array(control, { maxLength: 3 }),
      exclude: fc.array(control.map((id) => ({ control: id, reason: 'x' })), { maxLength: 3 }),
      parameters: fc.record(value, { requiredKeys: [] }),
    });
  const general = fc.array(request('dataward-system/default'), { minLength: 1, maxLength: 2 });
  const beside = fc.array(request('shop/own'), { maxLength: 2 });
  // Written out here, so that a wrong direction in the catalogue is seen.
  const HIGHER = ['minTLSVersion', 'certExpiryWindow', 'minRSABits', 'minECBits', 'minHSTSMaxAge'];

  test('never ask for less than those that hold for all', () => {
    fc.assert(
      fc.property(general, beside, (root, own) => {
        const least = effectiveDemands(catalogue, root);
        const all = effectiveDemands(catalogue, root, own);
        expect(all.controls).toEqual(expect.arrayContaining(least.controls));
        for (const [name, value] of Object.entries(all.params)) {
          const [more, less] = [Number(value), Number(least.params[name as keyof ParamsInput])];
          expect(HIGHER.includes(name) ? more >= less : more <= less).toBe(true);
        }
      }),
    );
  });

  test('ask for the same in any order, and for no more when one of them says what is said already', () => {
    fc.assert(
      fc.property(general, beside, (root, own) => {
        const { controls, params } = effectiveDemands(catalogue, root, own);
        expect(effectiveDemands(catalogue, root.toReversed(), own.toReversed())).toMatchObject({ controls, params });
        expect(effectiveDemands(catalogue, root, [...own, ...own])).toMatchObject({ controls, params });
      }),
    );
  });

  test('have nothing to complain of in a profile exactly when each of its values is applied or stricter ones are its own', () => {
    fc.assert(
      fc.property(general, request('shop/own'), (root, own) => {
        const least = effectiveDemands(catalogue, root);
        const alone = effectiveDemands(catalogue, [], [own]).params;
        const applied = effectiveDemands(catalogue, root, [own]).params;
        const said = loosened(catalogue, own, root).filter((sentence) => sentence.startsWith('spec.parameters'));
        const overruled = Object.keys(own.parameters).filter((name) => own.parameters[name] !== 'nonsense' && applied[name as keyof ParamsInput] !== alone[name as keyof ParamsInput]);
        expect(said.map((sentence) => sentence.split(/[.:]/)[2]).toSorted()).toEqual(overruled.toSorted());
        for (const name of overruled) expect(applied[name as keyof ParamsInput]).toBe(least.params[name as keyof ParamsInput]);
      }),
    );
  });
});
