/* Generated from crds/legalholds.yaml by `npm run generate`. Edit the YAML, not this file. */
import type { Condition, KubeObject } from '../object.ts';

/**
 * LegalHold keeps data from being destroyed, whatever a RetentionPolicy says. It ends only when one person asks for its release and another one agrees.
 */
export interface LegalHold extends KubeObject {
  apiVersion: 'dataward.io/v1alpha1';
  kind: 'LegalHold';
  spec: LegalHoldSpec;
  status?: LegalHoldStatus;
}
/**
 * spec is what must stay and why.
 */
export interface LegalHoldSpec {
  namespaceSelector?: NamespaceSelector;
  /**
   * matter is a file number that means nothing to an outsider; no names. It cannot be changed.
   */
  matter: string;
  basis: Basis;
  /**
   * custodian answers for the hold, as a shared mailbox.
   */
  custodian: string;
  /**
   * reviewAt is when somebody has to look at it again. A hold that is overdue stays in force and fails a control.
   */
  reviewAt: string;
  /**
   * scope lists blocks; a row in any of them is kept. Blocks can be added and never changed or removed.
   */
  scope: HoldBlock[];
  /**
   * supersedes is the hold of the same namespace this one takes the place of. Two people still have to release that hold; it then goes only once this one is in force in each of its stores.
   */
  supersedes?: string;
  release?: Release;
}
/**
 * namespaceSelector reaches the stores of other namespaces. It is accepted in the root namespace only; without it the own namespace is meant.
 */
export interface NamespaceSelector {
  all?: Everything;
  /**
   * matchLabels selects objects that carry all of these labels.
   */
  matchLabels?: {
    /**
     * value the label must have.
     */
    [k: string]: string;
  };
}
/**
 * all selects everything; it is written out so that leaving a selector away never means everything.
 */
export interface Everything {}
/**
 * basis is the ground of the hold. It cannot be changed.
 */
export interface Basis {
  /**
   * type is the kind of ground. Only LegalObligation makes a minimum that beats somebody's maximum.
   */
  type:
    | 'LegalObligation'
    | 'Contract'
    | 'Consent'
    | 'LegitimateInterests'
    | 'PublicTask'
    | 'VitalInterests'
    | 'LegalClaims';
  /**
   * jurisdiction is the country whose law is meant, ISO 3166-1 alpha-2, or EU. Norway needs quotes, "NO": unquoted it is a boolean in YAML.
   */
  jurisdiction?: string;
  /**
   * reference names the section, clause or file number.
   */
  reference: string;
}
/**
 * One block; a row is in it when all its parts match.
 */
export interface HoldBlock {
  stores: StoreSelector;
  collections: HoldCollectionSelector;
  clients: ClientSelector;
  subjects?: HeldSubjects;
  between?: Between;
}
/**
 * stores selects the DataStores this is about, within the namespaces in reach.
 */
export interface StoreSelector {
  /**
   * all selects everything; it is written out so that leaving a selector away never means everything.
   */
  all?: Everything;
  /**
   * matchLabels selects objects that carry all of these labels.
   */
  matchLabels?: {
    /**
     * value the label must have.
     */
    [k: string]: string;
  };
  /**
   * names lists DataStores by name.
   *
   * Items: Name of a DataStore.
   */
  names?: string[];
}
/**
 * collections selects collections.
 */
export interface HoldCollectionSelector {
  /**
   * all selects everything; it is written out so that leaving a selector away never means everything.
   */
  all?: Everything;
  /**
   * categories lists fideslang data categories; each selects its descendants too.
   *
   * Items: Category of the fideslang taxonomy, for example user.behavior.
   */
  categories?: string[];
  /**
   * names lists collections by the name their DataMap gives them.
   *
   * Items: Name of a collection.
   */
  names?: string[];
  /**
   * subjects lists kinds of people, for example visitor or employee.
   *
   * Items: Kind of people.
   */
  subjects?: string[];
}
/**
 * clients selects whose data is meant, by the value of the client key.
 */
export interface ClientSelector {
  /**
   * all selects everything; it is written out so that leaving a selector away never means everything.
   */
  all?: Everything;
  /**
   * keys lists values of the client key.
   *
   * Items: Value of the client key.
   */
  keys?: string[];
}
/**
 * subjects narrows the block to people.
 */
export interface HeldSubjects {
  /**
   * secretName is an immutable Secret beside this object; each key is an identity, each line one identifier.
   */
  secretName: string;
}
/**
 * between narrows the block to rows whose event lies in a span of days. A row without believable moment is kept.
 */
export interface Between {
  /**
   * event, for example Created.
   */
  event: string;
  /**
   * from is the first day.
   */
  from: string;
  /**
   * to is the first day after the span.
   */
  to: string;
}
/**
 * release ends the hold in two writes by two people.
 */
export interface Release {
  request: ReleaseRequest;
  approval?: ReleaseApproval;
}
/**
 * request is the first write.
 */
export interface ReleaseRequest {
  /**
   * by is the user name of whoever writes this.
   */
  by: string;
  /**
   * reason the hold can end.
   */
  reason: string;
}
/**
 * approval is the second write.
 */
export interface ReleaseApproval {
  /**
   * by is the user name of whoever writes this; not the one who asked.
   */
  by: string;
}
/**
 * status tells where the hold is in force.
 */
export interface LegalHoldStatus {
  /**
   * observedGeneration is the metadata.generation the status was written for.
   */
  observedGeneration?: number;
  /**
   * conditions tell what the controller last saw; one entry per type. A condition that names a problem is absent while there is none.
   */
  conditions?: Condition[];
  /**
   * state is Active when every store it reaches has the hold in its own tables, and it reaches one.
   */
  state?: 'Pending' | 'Active' | 'Released';
  /**
   * revision grows with each change that was written to the stores.
   */
  revision?: number;
  /**
   * storesTotal is how many stores the hold reaches.
   */
  storesTotal?: number;
  /**
   * storesEnforced is in how many of them it is in force.
   */
  storesEnforced?: number;
  /**
   * stores lists the stores to look at first.
   */
  stores?: HeldStore[];
  /**
   * truncated is how many entries the list above leaves out.
   */
  truncated?: number;
  /**
   * secrets pins the subject lists as first seen; another digest holds the whole block.
   */
  secrets?: PinnedSecret[];
}
/**
 * One store.
 */
export interface HeldStore {
  /**
   * namespace of the store.
   */
  namespace: string;
  /**
   * name of the store.
   */
  name: string;
  /**
   * enforcedSince is when the hold was committed there; absent while it is not.
   */
  enforcedSince?: string;
  /**
   * maps is a digest of the data maps its words were read by there. While the store has others, nothing is deleted there.
   */
  maps?: string;
  /**
   * items is how many rows it kept at countedAt, those of nobody knows whom among them; absent while what stands there was not counted yet, or could not be.
   */
  items?: number;
  /**
   * countExact is false where items is a lower bound, since the time for counting ran out or the last try to count again failed, or where nothing could be counted.
   */
  countExact?: boolean;
  /**
   * emptyBlocks are the places in spec.scope, from 0, of blocks that match a collection there and, by an exact count at countedAt, no row.
   *
   * Items: A place.
   */
  emptyBlocks?: number[];
  /**
   * countedAt is when it was counted; counted at once when more stands there than before, then with the counts of the store.
   */
  countedAt?: string;
  /**
   * otherDeleters lists software in the store that deletes without asking this operator.
   *
   * Items: Name, for example pg_partman.
   */
  otherDeleters?: string[];
  /**
   * message says what keeps it from being in force.
   */
  message?: string;
}
/**
 * One Secret.
 */
export interface PinnedSecret {
  /**
   * name of the Secret.
   */
  name: string;
  /**
   * digest of its content.
   */
  digest: string;
}
