import type { ComplianceProfile } from '../api/generated/complianceProfile.ts';
import type { Catalogue } from '../policy/catalogue.ts';
import { effectiveDemands, loosened, type Demands, type ProfileRequest } from '../policy/profiles.ts';

/** A profile among the others. */
export interface ProfilesAround {
  /** What holds for the stores of a namespace. */
  demandsOn(namespace: string | undefined): Demands;
  /** What the profiles above this one ask for; undefined when there is none. */
  above?: Demands;
  /** What this profile asks less than those above it, in sentences; undefined when there is none above it. */
  loosened?: string[];
}

export function requestOf(profile: ComplianceProfile): ProfileRequest {
  const { frameworks, controls, parameters } = profile.spec;
  return { name: `${profile.metadata.namespace}/${profile.metadata.name}`, frameworks, ...controls, parameters: parameters ?? {} };
}

/**
 * Puts a profile beside the others: those of the root namespace hold for every store, those of another namespace for
 * the stores in it. Pure.
 *
 * @param profile as just read; it takes the place of its older self in the list
 */
export function profilesAround(catalogue: Catalogue, profile: ComplianceProfile, listed: readonly ComplianceProfile[], rootNamespace: string): ProfilesAround {
  const standing = [profile, ...listed.filter((each) => requestOf(each).name !== requestOf(profile).name)].filter((each) => !each.metadata.deletionTimestamp);
  const of = (namespace: string): ProfileRequest[] => standing.filter((each) => each.metadata.namespace === namespace).map(requestOf);
  const general = of(rootNamespace);
  const forAll = effectiveDemands(catalogue, general);
  const known = new Map<string, Demands>();
  const above = general.filter((each) => each.name !== requestOf(profile).name);
  return {
    demandsOn(namespace = '') {
      const found = known.get(namespace);
      if (found) return found;
      const local = namespace === rootNamespace ? [] : of(namespace);
      const demands = local.length === 0 ? forAll : effectiveDemands(catalogue, general, local);
      known.set(namespace, demands);
      return demands;
    },
    ...(above.length > 0 ? { above: effectiveDemands(catalogue, above), loosened: loosened(catalogue, requestOf(profile), above) } : {}),
  };
}
