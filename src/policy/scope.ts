import type { Catalogue } from './catalogue.ts';

/** Which controls a profile asks for. Pure. */

export interface ScopeRequest {
  /** Ids of frameworks. */
  frameworks: readonly string[];
  /** Ids of controls asked for beside those of the frameworks. */
  include?: readonly string[];
  exclude?: readonly { control: string; reason: string }[];
}

export interface Scope {
  /** Ids of controls to evaluate, sorted. */
  controls: string[];
  /** Ids of controls that were asked for and for which nothing is observed yet, sorted. */
  noFactSource: string[];
  /** What the profile names and the catalogue does not have; what to write instead. Sorted. */
  problems: string[];
}

/** An exclusion of a control that does not exist is a problem too: it may be the misspelt name of one that does. */
export function controlsInScope(catalogue: Catalogue, { frameworks, include = [], exclude = [] }: ScopeRequest): Scope {
  const existing = new Set(catalogue.controls.map(({ id }) => id));
  const planned = new Set(catalogue.frameworks.flatMap(({ clauses }) => clauses.flatMap(({ noFactSource }) => noFactSource)));
  const problems: string[] = [];
  const wanted = new Set<string>();
  for (const id of frameworks) {
    const framework = catalogue.frameworks.find((candidate) => candidate.id === id);
    if (framework === undefined) problems.push(`frameworks: ${id} is not in the catalogue; there are ${catalogue.frameworks.map((known) => known.id).sort().join(', ')}`);
    for (const clause of framework?.clauses ?? []) for (const control of [...clause.controls, ...clause.noFactSource]) wanted.add(control);
  }
  for (const control of include) wanted.add(control);
  for (const { control } of exclude) {
    wanted.delete(control);
    if (!existing.has(control) && !planned.has(control)) problems.push(`controls.exclude: ${control} is not in the catalogue; there are ${[...existing].sort().join(', ')}`);
  }
  for (const control of include) {
    if (!existing.has(control) && !planned.has(control)) problems.push(`controls.include: ${control} is not in the catalogue; there are ${[...existing].sort().join(', ')}`);
  }
  const ids = [...wanted].sort();
  return {
    controls: ids.filter((id) => existing.has(id)),
    noFactSource: ids.filter((id) => planned.has(id)),
    problems: problems.sort(),
  };
}
