import type { ObjectMeta } from '../api/object.ts';

/** `{ all: {} } | { matchLabels } | { names }`, the union every selector of stores is. */
export interface StoreSelector {
  all?: object;
  matchLabels?: Record<string, string>;
  names?: string[];
}

/** `{ categories } | { names } | { subjects }`, and `{ all: {} }` where a hold selects. */
export interface CollectionSelector {
  all?: object;
  categories?: string[];
  names?: string[];
  subjects?: string[];
}

export interface NamespaceSelector {
  all?: object;
  matchLabels?: Record<string, string>;
}

/** Where the selecting object lives, and what is known of the namespaces it may reach. */
export interface SelectionScope {
  /** Namespace of the policy or hold. */
  namespace: string;
  /** Only read when `namespace` is the root namespace. */
  namespaceSelector?: NamespaceSelector;
  rootNamespace: string;
  /** Labels of the store's namespace; undefined when it could not be read, which then matches nothing. */
  namespaceLabels?: Record<string, string>;
}

/**
 * Whether a policy or hold covers a store: its own namespace, or, from the root namespace, the namespaces its
 * `namespaceSelector` matches. A selector written elsewhere has no effect; an admission policy refuses it.
 */
export function coversStore(selector: StoreSelector, scope: SelectionScope, store: ObjectMeta): boolean {
  if (!reachesNamespace(scope, store.namespace ?? '')) return false;
  if (selector.all) return true;
  if (selector.names) return selector.names.includes(store.name);
  if (selector.matchLabels) return labelsMatch(selector.matchLabels, store.labels);
  return false;
}

function reachesNamespace(scope: SelectionScope, namespace: string): boolean {
  if (scope.namespaceSelector && scope.namespace === scope.rootNamespace) {
    const { all, matchLabels } = scope.namespaceSelector;
    if (all) return true;
    return matchLabels !== undefined && scope.namespaceLabels !== undefined && labelsMatch(matchLabels, scope.namespaceLabels);
  }
  return scope.namespace === namespace;
}

export function labelsMatch(wanted: Record<string, string>, labels: Record<string, string> | undefined): boolean {
  return Object.entries(wanted).every(([key, value]) => labels?.[key] === value);
}

/** What of a collection the two kinds of selection look at. */
export interface SelectableCollection {
  name: string;
  categories: string[];
  /** Categories of single fields: they count for minimums and holds, never for deletion. */
  fieldCategories: string[];
  subjects: string[];
}

/**
 * Whether a selector names a collection. A category selects its descendants: `user.behavior` covers
 * `user.behavior.browsing_history`.
 *
 * @param reach `Destroying` looks at the collection's own categories only: one e-mail column must not make a
 * whole table fall under a rule for contact data. `Protecting` looks at the fields too.
 */
export function coversCollection(selector: CollectionSelector, collection: SelectableCollection, reach: 'Destroying' | 'Protecting'): boolean {
  if (selector.all) return reach === 'Protecting';
  if (selector.names) return selector.names.includes(collection.name);
  if (selector.subjects) return selector.subjects.some((subject) => collection.subjects.includes(subject));
  const categories = reach === 'Protecting' ? [...collection.categories, ...collection.fieldCategories] : collection.categories;
  return (selector.categories ?? []).some((wanted) => categories.some((category) => isCategoryWithin(category, wanted)));
}

export function isCategoryWithin(category: string, ancestor: string): boolean {
  return category === ancestor || category.startsWith(`${ancestor}.`);
}

/** Shell-like match of table and schema names: only `*` is special. */
export function matchesPattern(pattern: string, name: string): boolean {
  const parts = pattern.split('*');
  if (parts.length === 1) return pattern === name;
  const [first, ...rest] = parts as [string, ...string[]];
  if (!name.startsWith(first)) return false;
  let at = first.length;
  const last = rest.pop() as string;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}
