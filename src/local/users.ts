import { createHash } from 'node:crypto';
import type { AuthorizationCheck, UserInfo } from '../api/validation/validator.ts';

/** A rule that takes something away; a member that is absent matches all. */
export type Denial = Partial<Pick<AuthorizationCheck, 'group' | 'resource' | 'verb'>>;

/** Somebody who may talk to the server. All may do everything except what is denied to them. */
export interface LocalUser {
  name: string;
  /** The bearer token; a secret. */
  token: string;
  groups: string[];
  denied?: readonly Denial[];
}

export const OPERATOR_USER_NAME = 'system:serviceaccount:dataward-system:dataward';
export const PERSON_USER_NAME = 'local-admin';

/** The controllers' identity: it may plan and carry out, and never approve its own plans. */
export function operatorUser(token: string): LocalUser {
  return {
    name: OPERATOR_USER_NAME,
    token,
    groups: ['system:serviceaccounts', 'system:serviceaccounts:dataward-system'],
    denied: [{ group: 'dataward.io', resource: 'purgeruns', verb: 'approve' }],
  };
}

/** A person with all rights, like a cluster administrator. */
export function personUser(token: string, name: string = PERSON_USER_NAME): LocalUser {
  return { name, token, groups: ['system:masters'] };
}

function matches(denial: Denial, check: AuthorizationCheck): boolean {
  return (denial.group ?? check.group) === check.group
    && (denial.resource ?? check.resource) === check.resource
    && (denial.verb ?? check.verb) === check.verb;
}

export interface Users {
  /** Who the bearer token belongs to. */
  authenticate(token: string): LocalUser | undefined;
  /** False for a user that is not known here. */
  authorize(userName: string, check: AuthorizationCheck): boolean;
  byName(name: string): LocalUser | undefined;
}

export function userInfo(user: LocalUser): UserInfo {
  return { username: user.name, groups: [...user.groups, 'system:authenticated'] };
}

/** Throws when two users share a name or a token, or a token is empty. */
export function localUsers(users: readonly LocalUser[]): Users {
  // Looked up by digest, so that the time of a comparison tells nothing about a token.
  const digest = (token: string): string => createHash('sha256').update(token).digest('base64');
  const byToken = new Map<string, LocalUser>();
  const byName = new Map<string, LocalUser>();
  for (const user of users) {
    if (user.token === '') throw new Error(`the user ${user.name} has an empty token; give every user a random one`);
    if (byToken.has(digest(user.token))) throw new Error(`the user ${user.name} has another user's token; give every user one of his own`);
    if (byName.has(user.name)) throw new Error(`the user ${user.name} is given twice; remove one of the two`);
    byToken.set(digest(user.token), user);
    byName.set(user.name, user);
  }
  return {
    authenticate: (token) => byToken.get(digest(token)),
    authorize: (userName, check) => {
      const user = byName.get(userName);
      return user !== undefined && !(user.denied ?? []).some((denial) => matches(denial, check));
    },
    byName: (name) => byName.get(name),
  };
}
