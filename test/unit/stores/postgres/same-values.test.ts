import { describe, expect, test } from '@jest/globals';
import { findsTheSame } from '../../../../src/stores/postgres/same-values.ts';

const UUID = '0a000000-0000-4000-8000-00000000000f';

describe('values that were written for a column of one type', () => {
  test.each<[string, string, string, string[], boolean, boolean]>([
    ['find the same in a column of that type, however they are compared', 'public.citext', 'public.citext', ['x'], false, true],
    ['find the same among larger and smaller numbers', 'integer', 'bigint', ['007'], false, true],
    ['find the same among numbers with a point', 'numeric', 'smallint', ['1'], false, true],
    ['find the same among texts of any length', 'character varying', 'text', ['x'], false, true],
    ['find at least the same where texts became anything', 'text', 'uuid', [UUID.toUpperCase()], true, true],
    ['leave out no more where texts became anything', 'text', 'uuid', [UUID], false, false],
    ['find the same in texts where they are written as numbers are', 'bigint', 'text', ['0', '-7', '120'], false, true],
    ['find less in texts where one has a zero before it', 'integer', 'text', ['7', '07'], true, false],
    ['find less in texts where one has a plus before it', 'smallint', 'text', ['+7'], true, false],
    ['find less in texts where one has a blank before it', 'integer', 'text', [' 7'], true, false],
    ['find less in texts where one is zero below zero', 'integer', 'text', ['-0'], true, false],
    ['find the same in texts where they are written as uuids are', 'uuid', 'character varying', [UUID], true, true],
    ['find less in texts where one is written in capitals', 'uuid', 'text', [UUID.toUpperCase()], true, false],
    ['find less in texts where one has no hyphens', 'uuid', 'text', [UUID.replaceAll('-', '')], true, false],
    ['find less in texts that tell more apart than before', 'public.citext', 'text', ['x'], true, false],
    ['find less in texts where numbers are written in more than one way', 'numeric', 'text', ['7'], true, false],
    ['find less in texts that had blanks at their end', 'bpchar', 'text', ['x '], true, false],
    ['are not known to find the same among other types', 'uuid', 'bytea', [UUID], true, false],
  ])('%s', (_, before, now, values, onlyEqual, expected) => {
    expect(findsTheSame({ values, onlyEqual }, before, now)).toBe(expected);
  });
});
