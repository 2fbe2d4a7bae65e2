import { Ajv } from 'ajv';
import { AUDIT_CHAIN_ID, COUNT, DIGEST, INSTANT, TEXT } from './certificate-fields.ts';

/**
 * The closed shape of a deletion certificate. Whatever is not named here is refused: an unknown key is how personal
 * data would get into a document that is handed out and kept for years.
 */

export const CERTIFICATE_SCHEMA = 'dataward.io/deletion-certificate/v1';

export const CERTIFICATE_KINDS = ['Retention', 'Erasure', 'Offboarding'] as const;
/** How rows were removed, honestly: none of these is a "purge" or "destroy" of media in the sense of NIST SP 800-88. */
export const DISPOSAL_METHODS = ['LogicalDelete', 'PartitionDrop', 'ObjectVersionDelete', 'CryptoErase'] as const;
/** What was looked at afterwards; each level includes the ones before. A driver's own count, `Claimed`, earns no certificate. */
export const VERIFICATION_LEVELS = ['Claimed', 'VerifiedLive', 'VerifiedReplicas', 'VerifiedPhysical', 'VerifiedBackups'] as const;

const name = { type: 'string', pattern: '^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$' };
const reason = { type: 'string', pattern: '^[A-Z][A-Za-z0-9]{0,62}$' };
const orNull = (schema: object) => ({ anyOf: [schema, { type: 'null' }] });
const list = (items: object, maxItems: number, minItems = 0) => ({ type: 'array', items, maxItems, minItems });

/** All properties required unless named optional, none beside them. */
function closed(properties: Record<string, object>, optional: string[] = []) {
  return { type: 'object', additionalProperties: false, properties, required: Object.keys(properties).filter((key) => !optional.includes(key)) };
}

const checkpoint = closed({ chainId: AUDIT_CHAIN_ID, seq: COUNT, rootHash: { type: 'string', pattern: '^[0-9a-f]{64}$' }, ts: INSTANT, keyId: { type: 'string', pattern: '^[0-9a-f]{16}$' }, sig: { type: 'string', pattern: '^[A-Za-z0-9+/]{86}==$' } });

const unsigned = {
  schema: { const: CERTIFICATE_SCHEMA },
  id: { type: 'string', pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' },
  kind: { enum: CERTIFICATE_KINDS },
  issuedAt: INSTANT,
  issuer: closed({ name: TEXT, version: TEXT }),
  supersedes: { type: 'string', pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' },
  basis: closed({
    policy: closed({ namespace: name, name, generation: COUNT, specHash: DIGEST }),
    planDigest: DIGEST,
    cutoff: INSTANT,
    approvals: list(closed({ by: TEXT, at: INSTANT }), 20),
    runUid: TEXT,
  }),
  store: closed({ namespace: name, name, identityFingerprint: DIGEST, server: TEXT }),
  collections: list(
    closed(
      {
        name: TEXT,
        table: TEXT,
        method: { enum: DISPOSAL_METHODS },
        predicateDigest: DIGEST,
        cutoff: INSTANT,
        eligible: COUNT,
        deleted: COUNT,
        held: COUNT,
        floored: COUNT,
        blocked: COUNT,
        indeterminate: COUNT,
        verification: closed({ level: { enum: VERIFICATION_LEVELS }, method: TEXT, residual: COUNT, at: INSTANT }),
      },
      ['cutoff'],
    ),
    250,
    1,
  ),
  clients: list(closed({ client: TEXT, deleted: COUNT }), 10_000),
  exclusions: list(closed({ collection: TEXT, reason, rows: COUNT, ref: orNull(TEXT), until: orNull(INSTANT) }), 1_000),
  replicas: list(closed({ place: COUNT, verified: { type: 'boolean' }, reason: orNull(reason) }), 16),
  notCovered: list(TEXT, 100),
  audit: closed({ chainId: AUDIT_CHAIN_ID, firstSeq: COUNT, lastSeq: COUNT, checkpoint: orNull(checkpoint) }),
  bundleDigest: orNull(DIGEST),
};

/** `replicas`: only where the store declares some and somebody looked. */
const OPTIONAL = ['supersedes', 'replicas'];

const signature = closed({ alg: { const: 'Ed25519' }, keyId: { type: 'string', pattern: '^[0-9a-f]{16}$' }, value: { type: 'string', pattern: '^[A-Za-z0-9+/]{86}==$' } });

/** Compiled when first asked for: otherwise each start and each command would spend a sixth of a second on it, most for nothing. */
const ajv = new Ajv({ allErrors: true, validateSchema: false })
  .addSchema(closed(unsigned, OPTIONAL), 'unsigned')
  .addSchema(closed({ ...unsigned, signature }, OPTIONAL), 'signed');

/** What is wrong with the shape; empty: nothing. Names fields, never values. */
export function shapeProblems(value: unknown, signed: boolean): string[] {
  if (ajv.validate(signed ? 'signed' : 'unsigned', value)) return [];
  return (ajv.errors ?? []).map(({ instancePath, message, params }) => {
    const extra = 'additionalProperty' in params ? ` (${String(params['additionalProperty'])})` : '';
    return `${instancePath || '/'} ${message ?? 'is wrong'}${extra}`;
  });
}
