import type { Catalogue, CatalogueControl, CatalogueParameter, Framework, ReasonCode } from '../src/policy/catalogue.ts';

/** Joins what `opa inspect -a` says about the policies with frameworks and schema; pure, and refuses what does not fit. */

export interface Annotation {
  annotations: { title?: string; description?: string; custom?: Record<string, unknown> };
  path?: { value: string }[];
}

interface ControlMetadata {
  id: string;
  severity: CatalogueControl['severity'];
  facts: string[];
  parameters?: Record<string, CatalogueParameter>;
  reasonCodes: Record<string, ReasonCode>;
  refs: Record<string, string[]>;
  remediation: string;
}

export interface CatalogueSources {
  opa: string;
  annotations: readonly Annotation[];
  frameworks: readonly Framework[];
  inputSchema: Record<string, unknown>;
}

/** @throws with every problem found, one a line */
export function buildCatalogue(sources: CatalogueSources): Catalogue {
  const problems: string[] = [];
  const shared = sources.annotations.find((annotation) => pathOf(annotation) === 'dataward/lib/outcome');
  const sharedCodes = (shared?.annotations.custom?.['reasonCodes'] ?? {}) as Record<string, ReasonCode>;
  const parameters: Record<string, CatalogueParameter> = {};
  const controls: CatalogueControl[] = [];

  for (const annotation of sources.annotations) {
    const path = pathOf(annotation);
    if (!/^dataward\/controls\/\w+\/\w+$/.test(path) || path.endsWith('_test')) continue;
    const { title, description, custom } = annotation.annotations;
    const metadata = custom as ControlMetadata | undefined;
    if (metadata === undefined || !title || !description) {
      problems.push(`${path}: needs title, description and custom metadata`);
      continue;
    }
    if (metadata.id?.toLowerCase().replace('-', '_') !== path.split('/').at(-1)) problems.push(`${path}: custom.id is ${metadata.id}, which is not its package`);
    for (const field of ['severity', 'facts', 'reasonCodes', 'refs', 'remediation'] as const) {
      if (metadata[field] === undefined) problems.push(`${path}: custom.${field} is missing`);
    }
    for (const [name, parameter] of Object.entries(metadata.parameters ?? {})) {
      if (name in parameters) problems.push(`${path}: parameter ${name} is declared by another control already`);
      if (parameter.tighter !== 'Higher' && parameter.tighter !== 'Lower') problems.push(`${path}: parameter ${name} has to say in tighter whether the Higher or the Lower value asks for more`);
      const { type, format, enum: allowed, minimum, maximum } = parameter.schema ?? {};
      if (!(format === 'duration' || Array.isArray(allowed) || (type === 'integer' && minimum !== undefined && maximum !== undefined))) problems.push(`${path}: parameter ${name} is no duration, no enum and no integer with minimum and maximum; src/policy/parameters.ts reads nothing else`);
      parameters[name] = parameter;
    }
    controls.push({
      id: metadata.id,
      entrypoint: `${path}/facts`,
      title,
      description,
      severity: metadata.severity,
      facts: metadata.facts,
      parameters: Object.keys(metadata.parameters ?? {}).sort(),
      reasonCodes: { ...sharedCodes, ...metadata.reasonCodes },
      refs: metadata.refs,
      remediation: metadata.remediation,
    });
  }
  controls.sort((a, b) => (a.id < b.id ? -1 : 1));
  problems.push(...frameworkProblems(sources.frameworks, controls), ...parameterProblems(parameters, sources.inputSchema));
  if (problems.length > 0) throw new Error(`policies:\n${problems.join('\n')}`);
  const frameworks = sources.frameworks.map(({ id, title, clauses }) => ({
    id,
    title,
    clauses: clauses.map((clause) => ({ ...clause, noFactSource: clause.noFactSource ?? [] })),
  }));
  return { opa: sources.opa, controls, parameters, frameworks, inputSchema: sources.inputSchema };
}

/** Entrypoints of the controls, sorted: their order is part of the compiled bytes. */
export function entrypointsOf(annotations: readonly Annotation[]): string[] {
  const paths = annotations.map(pathOf).filter((path) => /^dataward\/controls\/\w+\/\w+$/.test(path) && !path.endsWith('_test'));
  return [...new Set(paths)].sort().map((path) => `${path}/facts`);
}

function pathOf(annotation: Annotation): string {
  return (annotation.path ?? []).slice(1).map((part) => part.value).join('/');
}

function frameworkProblems(frameworks: readonly Framework[], controls: readonly CatalogueControl[]): string[] {
  const problems: string[] = [];
  const ids = new Set(controls.map((control) => control.id));
  const mapped = new Set<string>();
  for (const { id, clauses } of frameworks) {
    for (const clause of clauses) {
      for (const control of clause.controls) {
        mapped.add(control);
        if (!ids.has(control)) problems.push(`frameworks/${id}.yaml: clause ${clause.id} names ${control}, which is no control; did you mean noFactSource?`);
      }
      for (const control of clause.noFactSource ?? []) {
        if (ids.has(control)) problems.push(`frameworks/${id}.yaml: clause ${clause.id} says ${control} has no fact source, but it is a control`);
      }
    }
  }
  for (const id of ids) if (!mapped.has(id)) problems.push(`frameworks: no clause names ${id}`);
  return problems;
}

function parameterProblems(parameters: Record<string, CatalogueParameter>, inputSchema: Record<string, unknown>): string[] {
  const properties = inputSchema['properties'] as { params?: { properties?: object; required?: string[] } } | undefined;
  const inSchema = Object.keys(properties?.params?.properties ?? {}).sort();
  const declared = Object.keys(parameters).sort();
  const required = [...(properties?.params?.required ?? [])].sort();
  if (JSON.stringify(inSchema) === JSON.stringify(declared) && JSON.stringify(required) === JSON.stringify(declared)) return [];
  return [`schemas/input.json: params must be exactly the parameters of the controls, all required: ${declared.join(', ')}`];
}
