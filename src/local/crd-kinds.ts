import { isJsonObject, memberObject } from './object.ts';
import type { JsonObject, StoredObject } from './object.ts';
import { OBJECT_META } from './core-schemas.ts';
import { parseJsonPath } from './jsonpath.ts';
import { apiVersionOf, servedKind } from './kinds.ts';
import type { ServedKind } from './kinds.ts';
import type { Schema } from './schema.ts';
import { printerColumns } from './table.ts';
import type { PrinterColumn } from './table.ts';

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function required(object: JsonObject, field: string, where: string): string {
  const value = object[field];
  if (typeof value !== 'string' || value === '') throw new Error(`${where}: ${field} is missing; a CustomResourceDefinition needs it`);
  return value;
}

function selectablePaths(version: JsonObject): string[] {
  const fields = Array.isArray(version['selectableFields']) ? version['selectableFields'] : [];
  return fields.flatMap((field) => (isJsonObject(field) && typeof field['jsonPath'] === 'string' ? [field['jsonPath']] : []));
}

function versionKind(crd: StoredObject, version: JsonObject): ServedKind {
  const where = `CustomResourceDefinition ${crd.metadata.name}`;
  const spec = memberObject(crd, 'spec');
  const names = memberObject(spec, 'names');
  const schema = memberObject(version, 'schema')['openAPIV3Schema'] as Schema | undefined;
  if (schema === undefined) throw new Error(`${where}: versions[].schema.openAPIV3Schema is missing`);
  const ref = {
    group: required(spec, 'group', where),
    version: required(version, 'name', where),
    plural: required(names, 'plural', where),
    kind: required(names, 'kind', where),
    namespaced: spec['scope'] === 'Namespaced',
  };
  const apiVersion = apiVersionOf(ref);
  const selectable = selectablePaths(version).map((path) => ({ field: path.replace(/^\./, ''), find: parseJsonPath(path) }));
  const columns = Array.isArray(version['additionalPrinterColumns']) ? (version['additionalPrinterColumns'] as PrinterColumn[]) : [];
  return servedKind({
    ref,
    singular: typeof names['singular'] === 'string' ? names['singular'] : ref.kind.toLowerCase(),
    listKind: typeof names['listKind'] === 'string' ? names['listKind'] : `${ref.kind}List`,
    shortNames: strings(names['shortNames']),
    categories: strings(names['categories']),
    hasStatus: isJsonObject(memberObject(version, 'subresources')['status']),
    hasGeneration: true,
    custom: true,
    unconditionalUpdate: false,
    columns: printerColumns(columns),
    schema: { ...schema, properties: { ...schema.properties, metadata: OBJECT_META } },
    fromStored: (object) => (object.apiVersion === apiVersion ? object : { ...object, apiVersion }),
    selectableFields: selectable.map(({ field }) => field),
    fieldsOf: (object) => Object.fromEntries(selectable.map(({ field, find }) => [field, String(find(object)[0] ?? '')])),
  });
}

/** The kinds a CustomResourceDefinition defines, one for each served version. Throws, naming the CRD and the field. */
export function kindsOfCrd(crd: StoredObject): ServedKind[] {
  const versions = memberObject(crd, 'spec')['versions'];
  if (!Array.isArray(versions)) throw new Error(`CustomResourceDefinition ${crd.metadata.name}: spec.versions is missing`);
  return versions.filter(isJsonObject).filter((version) => version['served'] === true).map((version) => versionKind(crd, version));
}

/** The CRD as a server shows it once it serves the kinds, so that `kubectl wait --for=condition=Established crd/...` ends. */
export function establishedCrd(crd: StoredObject, now: string): StoredObject {
  const spec = memberObject(crd, 'spec');
  const versions = Array.isArray(spec['versions']) ? spec['versions'].filter(isJsonObject) : [];
  const condition = (type: string, reason: string, message: string): object => ({ type, status: 'True', reason, message, lastTransitionTime: now });
  return {
    ...crd,
    status: {
      acceptedNames: spec['names'],
      storedVersions: versions.filter((version) => version['storage'] === true).map((version) => version['name']),
      conditions: [
        condition('NamesAccepted', 'NoConflicts', 'no conflicts found'),
        condition('Established', 'InitialNamesAccepted', 'the initial names have been accepted'),
      ],
    },
  };
}
