import type { Catalogue } from './catalogue.ts';
import type { ParamsInput } from './input.ts';
import { durationSeconds, resolveParameters } from './parameters.ts';
import { controlsInScope, type ScopeRequest } from './scope.ts';

/** What several profiles ask for together. Pure; the order of profiles plays no part. */

export interface ProfileRequest extends ScopeRequest {
  /** `namespace/name`, for people. */
  name: string;
  /** As a person writes them in ComplianceProfile.spec.parameters. */
  parameters: Readonly<Record<string, unknown>>;
}

export interface Demands {
  /** Ids of controls, sorted. */
  controls: string[];
  params: ParamsInput;
  /** `params` as a person writes them. */
  written: Record<string, string | number>;
}

/**
 * What holds where some profiles hold for all and others beside them: every control that one of them asks for, and of
 * each parameter the value that asks for most. What the others leave out or ask less of changes nothing.
 *
 * @param general profiles of the root namespace; where one sets no value, nobody else of them does and the default counts
 * @param local profiles of the namespace of a store
 */
export function effectiveDemands(catalogue: Catalogue, general: readonly ProfileRequest[], local: readonly ProfileRequest[] = []): Demands {
  const base = general.length > 0 ? resolveParameters(catalogue, tightest(catalogue, general.map((each) => validParameters(catalogue, each)))).written : {};
  const asked = tightest(catalogue, [base, ...local.map((each) => validParameters(catalogue, each))]);
  const { params, written } = resolveParameters(catalogue, asked);
  const controls = new Set([...general, ...local].flatMap((each) => controlsInScope(catalogue, each).controls));
  return { controls: [...controls].sort(), params, written };
}

/** What a profile asks that is less than `above` asks, and is therefore not applied, in sentences with both values. */
export function loosened(catalogue: Catalogue, profile: ProfileRequest, above: readonly ProfileRequest[]): string[] {
  if (above.length === 0) return [];
  const demands = effectiveDemands(catalogue, above);
  const by = `ComplianceProfile ${above.map((each) => each.name).toSorted().join(', ')}`;
  const excluded = (profile.exclude ?? []).filter(({ control }) => demands.controls.includes(control));
  const values = Object.entries(validParameters(catalogue, profile)).flatMap(([parameter, value]) => {
    const standing = demands.written[parameter];
    if (standing === undefined || asksNoLess(catalogue, parameter, value, standing)) return [];
    return [`spec.parameters.${parameter}: ${value} asks for less than ${standing} of ${by}, which is applied; write ${standing} or ${catalogue.parameters[parameter]?.tighter === 'Higher' ? 'more' : 'less'}`];
  });
  return [...excluded.map(({ control }) => `spec.controls.exclude: ${control} is asked for by ${by} and is judged all the same; take it out of the list`), ...values].toSorted();
}

/** Parameters a profile sets to something that can be used. */
function validParameters(catalogue: Catalogue, { parameters }: ProfileRequest): Record<string, string | number> {
  const { written, problems } = resolveParameters(catalogue, parameters);
  const unused = new Set(problems.map((problem) => problem.parameter));
  return Object.fromEntries(Object.entries(written).filter(([name]) => Object.hasOwn(parameters, name) && !unused.has(name)));
}

function tightest(catalogue: Catalogue, sets: readonly Readonly<Record<string, string | number>>[]): Record<string, string | number> {
  const chosen: Record<string, string | number> = {};
  for (const [name, value] of sets.flatMap((set) => Object.entries(set))) {
    const before = chosen[name];
    if (before === undefined || !asksNoLess(catalogue, name, before, value)) chosen[name] = value;
  }
  return chosen;
}

/** Whether `value` asks for at least as much as `other`. */
function asksNoLess(catalogue: Catalogue, parameter: string, value: string | number, other: string | number): boolean {
  const difference = rank(catalogue, parameter, value) - rank(catalogue, parameter, other);
  return catalogue.parameters[parameter]?.tighter === 'Higher' ? difference >= 0 : difference <= 0;
}

/** A valid value as a number that can be compared: its place in the list of allowed ones, seconds, or itself. */
function rank(catalogue: Catalogue, parameter: string, value: string | number): number {
  const schema = catalogue.parameters[parameter]?.schema ?? {};
  const allowed = schema['enum'];
  if (Array.isArray(allowed)) return allowed.indexOf(value);
  return schema['format'] === 'duration' ? (durationSeconds(String(value)) ?? 0) : Number(value);
}
