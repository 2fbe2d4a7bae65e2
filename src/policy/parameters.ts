import type { Catalogue } from './catalogue.ts';
import type { ParamsInput } from './input.ts';

/** Parameters of controls: defaults of the catalogue, changed by a profile, in the numbers policies compute with. */

export interface ParameterProblem {
  parameter: string;
  /** What is wrong and what to write instead. */
  message: string;
}

export interface ResolvedParameters {
  params: ParamsInput;
  /** The same values as a person writes them. */
  written: Record<string, string | number>;
  /** Overrides that were not used; what would hold without them stands in their place. Sorted by parameter. */
  problems: ParameterProblem[];
}

/**
 * Fills in and converts parameters. An override that does not fit never weakens anything: what held before it stays.
 *
 * @param overrides as a person writes them in ComplianceProfile.spec.parameters
 * @param base what holds without them, as `written` of an earlier answer; the defaults when left out
 */
export function resolveParameters(catalogue: Catalogue, overrides: Readonly<Record<string, unknown>>, base: Readonly<Record<string, string | number>> = {}): ResolvedParameters {
  const problems: ParameterProblem[] = [];
  const params: Record<string, string | number> = {};
  const written: Record<string, string | number> = {};
  for (const [parameter, { schema, default: byDefault }] of Object.entries(catalogue.parameters)) {
    const standard = base[parameter] ?? byDefault;
    const override = asWritten(schema, Object.hasOwn(overrides, parameter) ? overrides[parameter] : undefined);
    const fits = override === undefined || isAllowed(schema, override);
    if (!fits) problems.push({ parameter, message: `parameters.${parameter}: ${wanted(schema)}; ${String(standard)} is used until then` });
    const chosen = fits && override !== undefined ? override : standard;
    written[parameter] = chosen;
    params[parameter] = schema['format'] === 'duration' ? (durationSeconds(String(chosen)) ?? 0) : chosen;
  }
  for (const name of Object.keys(overrides)) {
    if (!Object.hasOwn(catalogue.parameters, name)) {
      problems.push({ parameter: name, message: `parameters.${name}: no control has this parameter; there are ${Object.keys(catalogue.parameters).sort().join(', ')}` });
    }
  }
  problems.sort((a, b) => (a.parameter < b.parameter ? -1 : 1));
  return { params: params as unknown as ParamsInput, written, problems };
}

/** Profiles hold all parameters as text, so that one field can carry numbers, versions and durations. */
function asWritten(schema: Record<string, unknown>, value: unknown): unknown {
  return schema['type'] === 'integer' && typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
}

/** The three shapes a parameter has; to compile a schema for each value of each profile would take longer than the judging. */
function isAllowed(schema: Record<string, unknown>, value: unknown): value is string | number {
  if (schema['format'] === 'duration') return typeof value === 'string' && durationSeconds(value) !== undefined;
  if (Array.isArray(schema['enum'])) return schema['enum'].includes(value);
  return Number.isInteger(value) && Number(value) >= Number(schema['minimum']) && Number(value) <= Number(schema['maximum']);
}

function wanted(schema: Record<string, unknown>): string {
  if (schema['format'] === 'duration') return 'write a duration of weeks, days or hours, such as P21D, P2W or PT36H; a month has no fixed length';
  if (Array.isArray(schema['enum'])) return `write one of ${schema['enum'].join(', ')}`;
  return `write a whole number from ${String(schema['minimum'])} to ${String(schema['maximum'])}`;
}

/**
 * Seconds of an ISO 8601 duration of fixed length: weeks, or days and hours. Undefined for anything else, such as
 * months and years, whose length depends on a date, and for zero. A duration of more than a hundred years is a typing
 * error and undefined as well.
 */
export function durationSeconds(text: string): number | undefined {
  const match = /^P(?:(\d{1,5})W|(?=\d|T\d)(?:(\d{1,5})D)?(?:T(\d{1,6})H)?)$/.exec(text);
  if (match === null) return undefined;
  const [, weeks = '0', days = '0', hours = '0'] = match;
  const seconds = Number(weeks) * 604_800 + Number(days) * 86_400 + Number(hours) * 3_600;
  return seconds > 0 && seconds <= 100 * 366 * 86_400 ? seconds : undefined;
}
