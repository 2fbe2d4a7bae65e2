import { describe, expect, test } from '@jest/globals';
import { pinned, widenedBecause } from '../../../../src/stores/postgres/held-columns.ts';
import type { ColumnPin, ColumnPins, NumberedColumn, PinCatalogue } from '../../../../src/stores/postgres/held-columns.ts';
import { packPins, unpackPins } from '../../../../src/stores/postgres/pin-text.ts';
import type { Predicate, TableAddress } from '../../../../src/stores/predicate.ts';
import { tableKey } from '../../../../src/stores/predicate.ts';
import { fc, runs } from '../../../support/properties.ts';

const at = (name: string): TableAddress => ({ schema: 'public', name });
const NAMES = ['a', 'b', 'c', 'd'] as const;
const PARTS = ['1', '2', '3'] as const;
const reads = (...names: string[]): Predicate => ({ op: 'or', of: names.map((field): Predicate => ({ op: 'isNull', field: { via: [], field } })) });

/** A table with its parts, as a catalogue has it: what each column is called, by its number. */
type Columns = Map<number, string>;
interface World {
  database: string;
  parts: Map<string, Columns>;
}
function catalogueOf({ database, parts }: World): PinCatalogue {
  const columnsOf = (columns: Columns): NumberedColumn[] => [...columns].map(([number, name]) => ({ name, number, type: 'text' }));
  return { database, oids: new Map([[tableKey(at('v')), PARTS[0]]]), columns: new Map([...parts].map(([part, columns]) => [part, columnsOf(columns)])) };
}

/** A name goes from one column to another, or to a new one: in every part, as the server does it. */
type Step = { do: 'swap'; one: string; other: string } | { do: 'replace'; name: string } | { do: 'drop'; name: string } | { do: 'look' };
const name = fc.constantFrom(...NAMES);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('swap' as const), one: name, other: name }),
  fc.record({ do: fc.constant('replace' as const), name }),
  fc.record({ do: fc.constant('drop' as const), name }),
  fc.constant({ do: 'look' as const }),
);

function change(columns: Columns, each: Step, fresh: number): void {
  const numberOf = (wanted: string): number | undefined => [...columns].find(([, called]) => called === wanted)?.[0];
  if (each.do === 'swap') {
    const [one, other] = [numberOf(each.one), numberOf(each.other)];
    if (one !== undefined) columns.set(one, each.other);
    if (other !== undefined) columns.set(other, each.one);
  } else if (each.do !== 'look') {
    const number = numberOf(each.name);
    if (number !== undefined && each.do === 'drop') columns.delete(number);
    if (number !== undefined && each.do === 'replace') columns.set(number, `${each.name}_${fresh}`);
    if (each.do === 'replace') columns.set(fresh, each.name);
  }
}

/** No column has the same number in two parts. */
const aWorld = (): World => ({ database: 'one', parts: new Map(PARTS.map((part, index) => [part, new Map(NAMES.map((called, place) => [place + 1 + index * 10, called]))])) });
const look = (predicate: Predicate, world: World, before?: ColumnPins): ColumnPins => unpackPins(packPins(pinned({ table: at('v'), predicate }, [PARTS[0]], before, catalogueOf(world), new Map([[PARTS[0], PARTS]]))));
const widened = (predicate: Predicate, pins: ColumnPins, world: World): boolean => widenedBecause({ table: at('v'), predicate }, PARTS[0], pins, catalogueOf(world)) !== undefined;
/** Whether one of the names belongs to another column than at first; a name of no column keeps every row without this. */
const meansOther = (names: readonly string[], columns: Columns, at0: Columns): boolean => [...columns].some(([number, called]) => names.includes(called) && at0.get(number) !== called);

describe('a hold is widened', () => {
  const names = fc.subarray([...NAMES], { minLength: 1 });

  test('exactly where a name it asks for is that of another column than when it was put, however often it was looked at', () => {
    fc.assert(
      fc.property(names, fc.array(step, { maxLength: 12 }), (asked, steps) => {
        const [predicate, world, first] = [reads(...asked), aWorld(), aWorld()];
        let pins = look(predicate, world);
        for (const [index, each] of steps.entries()) {
          for (const [part, columns] of world.parts) change(columns, each, 100 + index + Number(part) * 100);
          if (each.do === 'look') pins = look(predicate, world, pins);
          const expected = [...world.parts].some(([part, columns]) => meansOther(asked, columns, first.parts.get(part) ?? new Map()));
          expect(widened(predicate, pins, world)).toBe(expected);
        }
      }),
      { numRuns: runs(200) },
    );
  });

  test('in another database, where all columns have other numbers, exactly where it was when it was last looked at', () => {
    fc.assert(
      fc.property(names, fc.array(step, { maxLength: 8 }), (asked, steps) => {
        const [predicate, world] = [reads(...asked), aWorld()];
        let pins = look(predicate, world);
        for (const [index, each] of steps.entries()) for (const [part, columns] of world.parts) change(columns, each, 100 + index + Number(part) * 100);
        pins = look(predicate, world, pins);
        // A name that no column has keeps every row already, and is no less for being known as another one.
        fc.pre(asked.every((each) => [...world.parts.values()].every((columns) => [...columns.values()].includes(each))));
        const before = widened(predicate, pins, world);
        const restored: World = { database: 'two', parts: new Map([...world.parts].map(([part, columns]) => [part, new Map([...columns.values()].toReversed().map((called, index) => [index + 1, called]))])) };
        const there = look(predicate, restored, pins);
        expect([widened(predicate, pins, restored), widened(predicate, there, restored)]).toEqual([before, before]);
      }),
      { numRuns: runs(200) },
    );
  });
});

test('pins are the same after they were stored', () => {
  const pin: fc.Arbitrary<ColumnPin> = fc.record({ table: fc.constantFrom(at('v'), at('w.x')), oid: fc.constantFrom('1', '9'), part: fc.constantFrom(...PARTS), column: name, number: fc.nat(3), type: fc.constantFrom('text', 'uuid'), called: name });
  const sorted = (pins: readonly ColumnPin[]): string[] => pins.map(({ table, oid, part, column, number, type, called }) => JSON.stringify([table.schema, table.name, oid, part, column, number, type, called])).toSorted();
  fc.assert(
    fc.property(fc.uniqueArray(pin, { selector: ({ table, oid, part, column }) => JSON.stringify([table, oid, part, column]), maxLength: 20 }), (pins) => {
      const packed = packPins({ database: 'd', pins });
      expect(sorted(unpackPins(packed).pins)).toEqual(sorted(pins));
      expect(packPins(unpackPins(packed))).toEqual(packed);
    }),
    { numRuns: runs(200) },
  );
});

test('parts whose columns have the same numbers are stored as one', () => {
  const pins = Array.from({ length: 1_000 }, (_, index): ColumnPin => ({ table: at('v'), oid: '1', part: String(index + 1), column: 'a', number: 2, type: 'text', called: 'a' }));
  expect(packPins({ database: 'd', pins }).tables).toHaveLength(1);
});
