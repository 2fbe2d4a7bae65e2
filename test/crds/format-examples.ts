import type { PatternExamples } from './pattern-examples.ts';

/** Values of each format that are accepted and refused, here and by the API server. */
export const FORMAT_EXAMPLES: Readonly<Record<'date' | 'date-time', PatternExamples>> = {
  date: {
    accepted: ['2026-11-24', '2028-02-29', '9999-12-31'],
    refused: ['', '2026-02-29', '2026-11-31', '2026-13-01', '2026-1-1', '26-11-24', '2026/11/24', 'never', 'infinity'],
  },
  'date-time': {
    accepted: [
      '2026-11-24T00:00:00Z',
      '2026-11-24t00:00:00z',
      '2026-11-24T00:00:00+01:00',
      '2026-11-24T00:00:00-00:00',
      '2026-11-24T23:59:59.123456789Z',
      '2028-02-29T00:00:00Z',
    ],
    refused: [
      '',
      '2026-11-24',
      '2026-11-24T00:00:00',
      '2026-11-24T00:00Z',
      '2026-11-24 00:00:00Z',
      '2026-11-24T00:00:00+0100',
      '2026-11-24T24:00:00Z',
      '2016-12-31T23:59:60Z',
      '2026-02-30T00:00:00Z',
      '2026-13-01T00:00:00Z',
      '2026-11-24T00:00:00.Z',
      '26-11-24T00:00:00Z',
      '12026-11-24T00:00:00Z',
      'never',
      'infinity',
    ],
  },
};
