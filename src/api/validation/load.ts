import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { parseAllDocuments } from 'yaml';
import { ROOT_NAMESPACE } from '../kinds.ts';
import { createObjectValidator } from './object-validator.ts';
import type { CustomResourceDefinition } from './object-validator.ts';
import type { ObjectValidator } from './validator.ts';

export interface Api {
  crds: CustomResourceDefinition[];
  /** ValidatingAdmissionPolicies and their bindings, as parsed. */
  admissionPolicies: unknown[];
  validator: ObjectValidator;
}

/**
 * Reads `dir/*.yaml` (CustomResourceDefinitions) and `dir/admission/*.yaml`, and compiles them.
 * With another root namespace the policies are read as somebody with that namespace has to write them.
 * Throws an Error that names the file for unreadable or malformed YAML, and for anything that cannot be applied.
 */
export function loadApi(dir: string, rootNamespace = ROOT_NAMESPACE): Api {
  const crds = readFolder(dir) as CustomResourceDefinition[];
  const admissionPolicies = readFolder(path.join(dir, 'admission'), (text) => text.replaceAll(ROOT_NAMESPACE, rootNamespace));
  if (crds.length === 0) throw new Error(`${dir} holds no CRD: point to the folder crds of the project`);
  const foreign = crds.find((crd) => crd.kind !== 'CustomResourceDefinition');
  if (foreign !== undefined) throw new Error(`${dir} holds a ${foreign.kind as string}: only CRDs belong there`);
  return { crds, admissionPolicies, validator: createObjectValidator(crds, admissionPolicies) };
}

function readFolder(dir: string, edit: (text: string) => string = (text) => text): unknown[] {
  const files = readdirSync(dir).filter((file) => file.endsWith('.yaml')).toSorted();
  return files.flatMap((file) => readDocuments(path.join(dir, file), edit));
}

function readDocuments(file: string, edit: (text: string) => string): unknown[] {
  return parseAllDocuments(edit(readFileSync(file, 'utf8')), { uniqueKeys: true }).map((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw new Error(`${file} is not valid YAML: ${error.message}`, { cause: error });
    return document.toJS() as unknown;
  });
}
