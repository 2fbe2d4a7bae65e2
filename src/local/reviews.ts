import type { AuthorizationCheck } from '../api/validation/validator.ts';
import { badRequest, noSuchPath } from './errors.ts';
import { isJsonObject, memberObject } from './object.ts';
import type { JsonObject } from './object.ts';
import { userInfo } from './users.ts';
import type { LocalUser, Users } from './users.ts';

/** Questions that are answered and not stored: who am I, may I, may he. */
export const REVIEW_RESOURCES = [
  { group: 'authentication.k8s.io', version: 'v1', plural: 'selfsubjectreviews', kind: 'SelfSubjectReview' },
  { group: 'authorization.k8s.io', version: 'v1', plural: 'selfsubjectaccessreviews', kind: 'SelfSubjectAccessReview' },
  { group: 'authorization.k8s.io', version: 'v1', plural: 'selfsubjectrulesreviews', kind: 'SelfSubjectRulesReview' },
  { group: 'authorization.k8s.io', version: 'v1', plural: 'subjectaccessreviews', kind: 'SubjectAccessReview' },
] as const;

export function isReview(group: string, version: string, plural: string): boolean {
  return REVIEW_RESOURCES.some((review) => review.group === group && review.version === version && review.plural === plural);
}

function text(object: JsonObject, field: string): string {
  const value = object[field];
  return typeof value === 'string' ? value : '';
}

function checkOf(attributes: JsonObject): AuthorizationCheck {
  return {
    group: text(attributes, 'group'),
    resource: text(attributes, 'resource'),
    subresource: text(attributes, 'subresource'),
    namespace: text(attributes, 'namespace'),
    name: text(attributes, 'name'),
    verb: text(attributes, 'verb'),
  };
}

function accessStatus(spec: JsonObject, userName: string, users: Users): object {
  const { resourceAttributes, nonResourceAttributes } = spec;
  if (isJsonObject(resourceAttributes) === isJsonObject(nonResourceAttributes)) {
    throw badRequest('spec: exactly one of resourceAttributes and nonResourceAttributes must be given');
  }
  if (users.byName(userName) === undefined) return { allowed: false, reason: `there is no user ${userName} here` };
  if (!isJsonObject(resourceAttributes)) return { allowed: true };
  return { allowed: users.authorize(userName, checkOf(resourceAttributes)) };
}

function rulesStatus(): object {
  const resourceRules = [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }];
  return { resourceRules, nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }], incomplete: true };
}

/** Answers a review: its body with the status filled in. Throws 400 for a malformed one. */
export function answerReview(plural: string, body: unknown, user: LocalUser, users: Users): object {
  if (!isJsonObject(body)) throw badRequest('the body of this request is a review object in JSON');
  const spec = memberObject(body, 'spec');
  const answer = (status: object): object => ({ ...body, metadata: memberObject(body, 'metadata'), status });
  switch (plural) {
    case 'selfsubjectreviews':
      return answer({ userInfo: userInfo(user) });
    case 'selfsubjectaccessreviews':
      return answer(accessStatus(spec, user.name, users));
    case 'selfsubjectrulesreviews':
      return answer(rulesStatus());
    case 'subjectaccessreviews':
      return answer(accessStatus(spec, text(spec, 'user'), users));
    default:
      throw noSuchPath();
  }
}
