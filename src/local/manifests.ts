import { LineCounter, isMap, parseAllDocuments } from 'yaml';
import type { Document } from 'yaml';
import { isJsonObject } from './object.ts';
import type { StoredObject } from './object.ts';

/** One object of a manifest file and the line it begins at (from 1). */
export interface Manifest {
  file: string;
  line: number;
  object: StoredObject;
}

/** Why a file is not used, for a person. */
export interface ManifestProblem {
  file: string;
  line: number;
  message: string;
}

function problemOf(document: Document.Parsed, value: unknown): string | undefined {
  if (!isMap(document.contents) || !isJsonObject(value)) return 'a manifest is a mapping with apiVersion, kind and metadata';
  for (const field of ['apiVersion', 'kind']) {
    if (typeof value[field] !== 'string' || value[field] === '') return `${field} is missing; every manifest names its ${field}`;
  }
  const { metadata } = value;
  if (!isJsonObject(metadata) || typeof metadata['name'] !== 'string' || metadata['name'] === '') {
    return 'metadata.name is missing; a file is applied again after each edit, so its objects need names';
  }
  return undefined;
}

/**
 * Reads a file of one or more YAML (or JSON) documents. Either all its objects or its problems: of a file with a
 * mistake nothing is used, so that a half-written edit changes nothing. Anchors are expanded, duplicate keys refused.
 */
export function parseManifests(file: string, text: string): { manifests: Manifest[]; problems: ManifestProblem[] } {
  const lineCounter = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter, uniqueKeys: true, prettyErrors: false });
  const problems: ManifestProblem[] = [];
  const manifests: Manifest[] = [];
  for (const document of Array.isArray(documents) ? documents : []) {
    for (const error of document.errors) {
      problems.push({ file, line: lineCounter.linePos(error.pos[0]).line, message: `not valid YAML: ${error.message}` });
    }
    if (document.errors.length > 0 || document.contents === null) continue;
    const line = lineCounter.linePos(document.contents.range[0]).line;
    let value: unknown;
    try {
      // A bounded number of aliases: a few lines of nested anchors could otherwise fill the memory.
      value = document.toJS({ maxAliasCount: 100 });
    } catch (error) {
      problems.push({ file, line, message: `not usable YAML: ${(error as Error).message}` });
      continue;
    }
    if (value === null) continue;
    const message = problemOf(document, value);
    if (message === undefined) manifests.push({ file, line, object: value as StoredObject });
    else problems.push({ file, line, message });
  }
  return problems.length > 0 ? { manifests: [], problems } : { manifests, problems };
}
