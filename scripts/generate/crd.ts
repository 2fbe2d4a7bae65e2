import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';

/** The part of a structural schema the generators read. */
export interface Schema {
  title?: string;
  description?: string;
  type?: string;
  format?: string;
  enum?: string[];
  default?: unknown;
  required?: string[];
  properties?: Record<string, Schema>;
  additionalProperties?: Schema;
  items?: Schema;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  'x-kubernetes-validations'?: { rule: string; message?: string }[];
  'x-kubernetes-list-map-keys'?: string[];
}

export interface CrdSource {
  /** The file's name under crds/. */
  file: string;
  kind: string;
  plural: string;
  shortName: string;
  columns: { name: string; description?: string }[];
  schema: Schema & { properties: { spec: Schema; status: Schema } };
}

interface CrdFile {
  spec: {
    names: { kind: string; plural: string; shortNames: [string] };
    versions: [
      { additionalPrinterColumns: CrdSource['columns']; schema: { openAPIV3Schema: CrdSource['schema'] } },
    ];
  };
}

/** Reads every CRD of a folder, in the order of the file names. */
export function readCrds(folder: string): CrdSource[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.yaml')).toSorted();
  return files.map((file) => {
    const { names, versions } = (parse(readFileSync(path.join(folder, file), 'utf8')) as CrdFile).spec;
    const [version] = versions;
    return {
      file,
      kind: names.kind,
      plural: names.plural,
      shortName: names.shortNames[0],
      columns: version.additionalPrinterColumns,
      schema: version.schema.openAPIV3Schema,
    };
  });
}
