import type { TableAddress } from './predicate.ts';

/** What a driver reads of a store without looking at its rows. */

export interface StoreIdentity {
  /** SHA-256 (hex, `sha256:` prefix) over system id, database oid and own marker. */
  fingerprint: string;
  /** The same without the marker: what the fingerprint was before the schema was installed. */
  bareFingerprint: string;
  server: string;
  /** Rises on failover and on point-in-time restore. */
  timeline: number;
  /**
   * Counts what runs of dataward ever wrote into this store. It only grows, so a smaller one than before is a copy of
   * before: a backup, a snapshot, a replica that was behind. Absent: nothing is installed, or it may not be read.
   */
  watermark?: number;
  /** True when the server is a read replica. */
  replica: boolean;
}

export interface SessionFacts {
  total: number;
  plaintext: number;
  /** False when this login may not see other sessions' encryption; then `plaintext` is a lower bound and unknown. */
  complete: boolean;
  /** What the backend says of this very connection; differs from the socket behind a pooler. */
  own: { tls: boolean; version?: string; serverAddressMatches: boolean };
}

export interface TransportFacts {
  observedAt: string;
  /** Negotiated best version, e.g. `TLSv1.3`; absent when no TLS was offered. */
  version?: string;
  cipher?: string;
  /** Versions the server accepted / refused when only that one was offered; a version that could not be tried is in neither. */
  accepted: string[];
  refused: string[];
  /** undefined: could not be decided. */
  plaintextRefused?: boolean;
  certificate?: CertificateFacts;
}

export interface CertificateFacts {
  subject: string;
  issuer: string;
  notBefore: string;
  notAfter: string;
  keyType: string;
  keyBits: number;
  /** Chain verifies to the declared CA. */
  trusted: boolean;
  /** A subject alternative name covers the server name; a bare CN does not count. */
  nameMatches: boolean;
  problem?: string;
}

export interface Inventory {
  observedAt: string;
  tables: TableFact[];
  /** Views: they have no rows of their own, and whoever names one means the tables beneath. Absent: not asked. */
  views?: TableAddress[];
  /** Databases of the same server that nobody declared here. */
  otherDatabases: string[];
  /** Extensions and jobs in the store that delete on their own, e.g. pg_partman, pg_cron. */
  otherDeleters: string[];
}

export interface TableFact {
  schema: string;
  name: string;
  /** Catalogue identity; survives a rename. */
  oid: string;
  /** A materialized view keeps its rows after they were deleted elsewhere, until somebody refreshes it. */
  kind: 'Table' | 'PartitionedTable' | 'Partition' | 'ForeignTable' | 'MaterializedView';
  /** `number` stays when a column gets another name. `base`: what the type is in the end, where that is a domain. */
  columns: { name: string; type: string; base?: string; number: number; notNull: boolean }[];
  primaryKey: string[];
  /** Address of the partitioned or inherited parents. */
  parents: TableAddress[];
  /** Rows by the statistics; an estimate, undefined when never analysed. */
  estimatedRows?: number;
  bytes: number;
  foreignKeys: ForeignKeyFact[];
  /** `runs`: the function with its schema, and a digest of its arguments where it is given some. */
  triggers: { name: string; runs: string; onDelete: boolean; before: boolean; enabled: boolean }[];
  rules: { name: string; onDelete: boolean; instead: boolean }[];
  rowSecurity: { enabled: boolean; forced: boolean };
  /** Published for DELETE without a replica identity: every DELETE fails. */
  deletesUnpublishable: boolean;
}

export interface ForeignKeyFact {
  name: string;
  columns: string[];
  references: TableAddress;
  referencedColumns: string[];
  onDelete: 'NoAction' | 'Restrict' | 'Cascade' | 'SetNull' | 'SetDefault';
  /** An index leads with the referencing columns. Without one a purge of the parent is about 10,000 times slower. */
  indexed: boolean;
  validated: boolean;
  /** The last column is a period: a row refers to those whose period overlaps its own. PostgreSQL 18 and later. */
  temporal?: true;
}
