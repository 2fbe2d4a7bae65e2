import { compareText } from '../api/compare-text.ts';
import { apiVersionOf, GROUP, OWN_KINDS, ownKind } from '../api/kinds.ts';
import type { KindRef, KubeObject } from '../api/object.ts';
import { loadApi } from '../api/validation/load.ts';
import type { ManifestObject } from '../api/validation/manifest.ts';
import { semanticFindings } from '../api/validation/semantic.ts';
import type { ObjectValidator } from '../api/validation/validator.ts';
import { EXIT, type CliContext, type ExitCode, type Output } from './context.ts';
import { readManifests, title, type ManifestFiles } from './files.ts';
import { KINDS_BY_NAME } from './kinds.ts';
import { colours, counted, note, printResult } from './output.ts';

/** What is wrong with a declaration, and where. */
export interface Finding {
  file: string;
  line: number;
  object?: string;
  field?: string;
  message: string;
}

/** `validate -f`: every rule the API server would apply, without one, and what only the operator would notice later. */
export async function validate(context: CliContext, flags: { filename: string; rootNamespace?: string; output: Output }): Promise<ExitCode> {
  const manifests = await readManifests(flags.filename);
  const { validator } = loadApi(context.paths.crds, flags.rootNamespace);
  const findings = allFindings(manifests, validator);
  const paint = colours(context);
  printResult(context, flags.output, { objects: manifests.objects.length, findings }, () =>
    findings.map((finding) => `${sentence(finding, paint.bold)}\n`).join(''),
  );
  note(context, findings.length === 0 ? allValid(manifests.objects) : `${counted(findings.length, 'finding')} in ${counted(manifests.objects.length, 'object')}`);
  return findings.length === 0 ? EXIT.fine : EXIT.findings;
}

function allValid(objects: readonly ManifestObject[]): string {
  const ours = objects.some(({ object }) => object.apiVersion.startsWith(`${GROUP}/`));
  return `${counted(objects.length, 'object')} ${objects.length === 1 ? 'is' : 'are'} valid${ours ? '' : `; none is of ${GROUP}, and other kinds are not looked into`}`;
}

/** Everything that is wrong with what was read, in the order of the files. */
export function allFindings(manifests: ManifestFiles, validator: ObjectValidator): Finding[] {
  const findings: Finding[] = [
    ...manifests.findings.map(({ file, line, message }) => ({ file, line, message })),
    ...manifests.objects.flatMap((manifest) => findingsOf(manifest, validator)),
    ...twins(manifests.objects),
  ];
  return findings.sort((a, b) => compareText(a.file, b.file) || a.line - b.line);
}

/** `file:line: Kind name: field: what is wrong` */
export function sentence({ file, line, object, field, message }: Finding, emphasize: (text: string) => string = (text) => text): string {
  return [emphasize(`${file}:${line}`), object, field, message].filter((part) => part !== undefined && part !== '').join(': ');
}

function findingsOf({ object, position, locate }: ManifestObject, validator: ObjectValidator): Finding[] {
  const kind = KINDS_BY_NAME.get(`${object.apiVersion}/${object.kind}`);
  // Other kinds are left to those who know them: a folder of manifests is seldom only ours.
  if (!kind) return object.apiVersion.startsWith(`${GROUP}/`) ? [{ file: position.file, line: position.line, object: title(object), ...unknownKind(object) }] : [];
  const { object: prepared, unknownFields } = validator.prepare(kind, object);
  const at = (path: string): Pick<Finding, 'file' | 'line' | 'object'> => ({ file: position.file, line: locate(path).line, object: title(object) });
  const unknown = unknownFields.map((field) => ({ ...at(field), field, message: 'unknown field; the API server would drop it silently' }));
  // Without a place it is the remark that rules were left out because of the other errors.
  const errors = validator.validate(kind, prepared).filter(({ path }) => path !== '<nil>').map((error) => ({ ...at(error.path), field: error.path, message: error.message }));
  // What the schema already refuses would only be said twice.
  if (errors.length > 0) return [...unknown, ...errors];
  const semantic = semanticFindings(prepared).map((finding) => ({ ...at(finding.path), field: finding.path, message: finding.message }));
  return [...unknown, ...semantic, ...admissionFindings(prepared, kind, validator, at)];
}

function unknownKind({ apiVersion, kind }: KubeObject): Pick<Finding, 'field' | 'message'> {
  const known = ownKind(kind);
  if (known) return { field: 'apiVersion', message: `${kind} is not served as ${apiVersion}; write ${apiVersionOf(known)}` };
  return { field: 'kind', message: `${GROUP} has no kind ${kind}; there are ${OWN_KINDS.map((each) => each.kind).join(', ')}` };
}

/**
 * What the admission policies say to a person who creates the object. Who that is and may do what is not known here, so no
 * right is doubted.
 */
function admissionFindings(object: KubeObject, kind: KindRef, validator: ObjectValidator, at: (path: string) => Pick<Finding, 'file' | 'line' | 'object'>): Finding[] {
  const namespace = object.metadata.namespace ?? 'default';
  const result = validator.admit({
    operation: 'CREATE',
    kind,
    object: { ...object, metadata: { ...object.metadata, namespace } },
    userInfo: { username: '', groups: ['system:authenticated'] },
    authorize: () => true,
  });
  if (result.allowed) return [];
  const { field, message } = result;
  return [{ ...at(field ?? ''), ...(field === undefined ? {} : { field }), message }];
}

function twins(objects: readonly ManifestObject[]): Finding[] {
  const first = new Map<string, ManifestObject>();
  return objects.flatMap((manifest) => {
    const key = identity(manifest.object);
    const earlier = first.get(key);
    if (!earlier) {
      first.set(key, manifest);
      return [];
    }
    return [{ file: manifest.position.file, line: manifest.position.line, object: title(manifest.object), message: `declared before at ${earlier.position.file}:${earlier.position.line}; the later one would win` }];
  });
}

const identity = (object: KubeObject): string => `${object.apiVersion}/${object.kind}/${object.metadata.namespace ?? ''}/${object.metadata.name}`;
