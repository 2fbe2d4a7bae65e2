import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Catalogue } from './catalogue.ts';

/** A bundle of compiled policies as it lies on disk, checked against its own list of digests. */
export interface Bundle {
  wasm: Uint8Array<ArrayBuffer>;
  /** JSON text. */
  data: string;
  catalogue: Catalogue;
  /** `sha256:` of the list of digests, so it names every byte of the bundle. */
  digest: string;
}

export const bundleFiles = ['catalogue.json', 'data.json', 'policy.wasm'] as const;
export const digestFile = 'SHA256SUMS';

/** Hex digest of some bytes. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * Reads a bundle.
 *
 * @throws when a file is missing, or is not the one its list of digests names: a half-updated bundle must not decide
 */
export async function loadBundle(dir: string): Promise<Bundle> {
  const sums = await readFile(join(dir, digestFile), 'utf8');
  const expected = parseDigests(sums);
  const read = async (name: (typeof bundleFiles)[number]): Promise<Uint8Array<ArrayBuffer>> => {
    const bytes = new Uint8Array(await readFile(join(dir, name)));
    if (expected.get(name) !== sha256(bytes)) {
      throw new Error(`policy bundle ${dir}: ${name} does not have the digest in ${digestFile}; build the bundle again and copy it as a whole`);
    }
    return bytes;
  };
  const [catalogue, data, wasm] = await Promise.all([read('catalogue.json'), read('data.json'), read('policy.wasm')]);
  const decoder = new TextDecoder();
  return {
    wasm,
    data: decoder.decode(data),
    catalogue: JSON.parse(decoder.decode(catalogue)) as Catalogue,
    digest: `sha256:${sha256(sums)}`,
  };
}

/** Digests by file name, from the format of sha256sum; comment lines are left out. */
function parseDigests(text: string): Map<string, string> {
  const digests = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^([0-9a-f]{64}) {2}(\S+)$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) digests.set(match[2], match[1]);
  }
  return digests;
}
