/* Generated from crds/datamaps.yaml by `npm run generate`. Edit the YAML, not this file. */
import type { Condition, KubeObject } from '../object.ts';

/**
 * DataMap says what personal data a store holds. It belongs to the team whose application writes the data; a store may have several.
 */
export interface DataMap extends KubeObject {
  apiVersion: 'dataward.io/v1alpha1';
  kind: 'DataMap';
  spec: DataMapSpec;
  status?: DataMapStatus;
}
/**
 * spec is what the owner of the data declares.
 */
export interface DataMapSpec {
  storeRef: StoreReference;
  defaults: MapDefaults;
  client?: ClientKey;
  /**
   * collections lists the tables that hold personal data.
   */
  collections: Collection[];
  /**
   * nonPersonal lists tables somebody declares to hold no personal data. The statement is made of the columns the table has when the operator first sees it (status.pinned); with a new column the table is unclassified again, until the table is described or the statement is made anew, for example with a later reviewAt.
   */
  nonPersonal?: NonPersonalTable[];
}
/**
 * storeRef is the described DataStore; it has to accept maps of this namespace.
 */
export interface StoreReference {
  /**
   * namespace of the DataStore; without it, the own one.
   */
  namespace?: string;
  /**
   * name of the DataStore.
   */
  name: string;
}
/**
 * defaults hold for every collection that does not say otherwise.
 */
export interface MapDefaults {
  /**
   * subjects lists kinds of people, for example visitor or employee.
   *
   * Items: Kind of people.
   */
  subjects?: string[];
  /**
   * otherColumns is what a column nobody listed counts as: a finding, or no personal data.
   */
  otherColumns: 'Unclassified' | 'NonPersonal';
}
/**
 * client says whose data a row is; a collection may say it for itself.
 */
export interface ClientKey {
  /**
   * field holds the client key.
   */
  field?: string;
  /**
   * via is a reference of the row; the row it points to knows the client.
   */
  via?: string;
  /**
   * value is the client key of every row.
   */
  value?: string;
  /**
   * schema is a pattern like tenant_*; the schema a table is in is then the client key.
   */
  schema?: string;
}
/**
 * One table, or several that are alike.
 */
export interface Collection {
  /**
   * name that policies and reports use.
   */
  name: string;
  table: TableReference;
  /**
   * categories of the collection as a whole, from the fideslang taxonomy. Only these select it for deletion.
   *
   * Items: Category of the fideslang taxonomy, for example user.behavior.
   */
  categories: string[];
  /**
   * subjects lists kinds of people, for example visitor or employee.
   *
   * Items: Kind of people.
   */
  subjects?: string[];
  /**
   * client says whose data a row is; a collection may say it for itself.
   */
  client?: ClientKey;
  /**
   * subjectKeys lists what identifies the person a row is about.
   */
  subjectKeys?: SubjectKey[];
  /**
   * times lists the moments a retention period can start at.
   */
  times?: TimeEvent[];
  /**
   * references lists links that have no foreign key in the store. A purge orders and protects by them as by foreign keys. A row that stays keeps the row it refers to. Nothing is deleted or changed because of one, and field needs an index.
   */
  references?: SoftReference[];
  /**
   * fields says what single columns hold.
   */
  fields?: FieldDescription[];
  /**
   * acknowledge lists side effects of a deletion that somebody has looked at.
   */
  acknowledge?: Acknowledgement[];
}
/**
 * table as the store knows it. `*` stands for any characters; partitions are implied.
 */
export interface TableReference {
  /**
   * schema of the table.
   */
  schema: string;
  /**
   * name of the table.
   */
  name: string;
}
/**
 * One identifier.
 */
export interface SubjectKey {
  /**
   * field that holds the identifier.
   */
  field: string;
  /**
   * path inside a field of type jsonb, for example $.user.id. A text or a whole number there is the identifier; a row with anything else there is kept by every hold on persons. In a field of another type it cannot be compared, and such a hold keeps the whole collection.
   */
  path?: string;
  /**
   * identity is the kind of identifier, for example visitor or email; equal words mean the same number range.
   */
  identity: string;
}
/**
 * One moment, read from a field or from a row this one refers to.
 */
export interface TimeEvent {
  /**
   * event is a shared word, so that a policy means the same everywhere: Created, LastActivity, Closed, ContractEnded, Invoiced, Consented, ConsentWithdrawn, Uploaded, or another.
   */
  event: string;
  /**
   * field that holds the moment.
   */
  field?: string;
  /**
   * type of the field.
   */
  type?: 'TimestampTZ' | 'Timestamp' | 'Date' | 'EpochSeconds' | 'EpochMillis';
  /**
   * timeZone a Timestamp without zone was written in, an IANA name.
   */
  timeZone?: string;
  /**
   * plausibleFrom is the first believable day; an earlier, future, absent or infinite moment is counted and never due.
   */
  plausibleFrom?: string;
  /**
   * via is a reference of this row; the row it points to has the moment.
   */
  via?: string;
  /**
   * of is the collection the reference points to.
   */
  of?: string;
}
/**
 * One link.
 */
export interface SoftReference {
  /**
   * field of this collection.
   */
  field: string;
  /**
   * to is the collection it points to.
   */
  to: string;
  /**
   * toField is the field it points to.
   */
  toField: string;
}
/**
 * One column.
 */
export interface FieldDescription {
  /**
   * name of the column.
   */
  name: string;
  /**
   * categories of the column. They count for coverage, minimums and holds; they never select for deletion.
   *
   * Items: Category of the fideslang taxonomy, for example user.behavior.
   */
  categories?: string[];
  /**
   * content says that values have an inner form. Such a field needs categories, else its table is unclassified; a column of type json, jsonb, xml or hstore needs them whatever is said here.
   */
  content?: 'JSON' | 'FreeText';
}
/**
 * One trigger.
 */
export interface Acknowledgement {
  /**
   * trigger by name.
   */
  trigger: string;
  /**
   * reason it may run during a deletion.
   */
  reason: string;
}
/**
 * One statement.
 */
export interface NonPersonalTable {
  /**
   * table as the store knows it. `*` stands for any characters; partitions are implied.
   */
  table: TableReference;
  /**
   * reason a reader can check.
   */
  reason: string;
  /**
   * by is the team that says so.
   */
  by: string;
  /**
   * reviewAt is when it has to be looked at again.
   */
  reviewAt: string;
}
/**
 * status compares the map with the store.
 */
export interface DataMapStatus {
  /**
   * observedGeneration is the metadata.generation the status was written for.
   */
  observedGeneration?: number;
  /**
   * conditions tell what the controller last saw; one entry per type. A condition that names a problem is absent while there is none.
   */
  conditions?: Condition[];
  /**
   * collections that were found in the store.
   */
  collections?: number;
  /**
   * tables they stand for.
   */
  tables?: number;
  /**
   * missing says, a sentence each, what the map names and the store does not have.
   *
   * Items: A sentence that names the collection, the table or column, and what to do.
   */
  missing?: string[];
  /**
   * truncated is how many entries the list above leaves out.
   */
  truncated?: number;
  /**
   * pinned are the columns the tables under spec.nonPersonal had when the statement about them was first seen. There is room for 500 tables and 10000 columns; for further tables the statement does not hold.
   */
  pinned?: PinnedTable[];
}
/**
 * One table.
 */
export interface PinnedTable {
  /**
   * table as schema.name.
   */
  table: string;
  /**
   * statement is a digest of the entry of spec.nonPersonal; with other words it is a new statement.
   */
  statement: string;
  /**
   * columns of the table at that time.
   *
   * Items: Name of a column.
   */
  columns: string[];
}
