import type { Environment } from '@marcbachmann/cel-js';
import type { AuthorizationCheck } from './validator.ts';

type Authorize = (check: AuthorizationCheck) => boolean;

/** The `authorizer` variable of an admission policy. */
export class Authorizer {
  readonly authorize: Authorize;

  constructor(authorize: Authorize) {
    this.authorize = authorize;
  }
}

/** A question that is being put together: `authorizer.group('…').resource('…')`. */
class ResourceCheck {
  readonly authorize: Authorize;
  readonly parts: Omit<AuthorizationCheck, 'verb'>;

  constructor(authorize: Authorize, parts: Omit<AuthorizationCheck, 'verb'>) {
    this.authorize = authorize;
    this.parts = parts;
  }

  with(part: Partial<AuthorizationCheck>): ResourceCheck {
    return new ResourceCheck(this.authorize, { ...this.parts, ...part });
  }
}

class GroupCheck {
  readonly authorize: Authorize;
  readonly group: string;

  constructor(authorize: Authorize, group: string) {
    this.authorize = authorize;
    this.group = group;
  }
}

class Decision {
  readonly allowed: boolean;

  constructor(allowed: boolean) {
    this.allowed = allowed;
  }
}

/** Adds the authorizer functions of Kubernetes' CEL library; questions about paths and other accounts are not there. */
export function registerAuthorizer(environment: Environment): void {
  environment
    .registerType('Authorizer', { ctor: Authorizer, fields: {} })
    .registerType('GroupCheck', { ctor: GroupCheck, fields: {} })
    .registerType('ResourceCheck', { ctor: ResourceCheck, fields: {} })
    .registerType('Decision', { ctor: Decision, fields: {} })
    .registerFunction('Authorizer.group(string): GroupCheck', (self: Authorizer, group: string) => new GroupCheck(self.authorize, group))
    .registerFunction(
      'GroupCheck.resource(string): ResourceCheck',
      (self: GroupCheck, resource: string) => new ResourceCheck(self.authorize, { group: self.group, resource }),
    )
    .registerFunction('ResourceCheck.subresource(string): ResourceCheck', (self: ResourceCheck, subresource: string) => self.with({ subresource }))
    .registerFunction('ResourceCheck.namespace(string): ResourceCheck', (self: ResourceCheck, namespace: string) => self.with({ namespace }))
    .registerFunction('ResourceCheck.name(string): ResourceCheck', (self: ResourceCheck, name: string) => self.with({ name }))
    .registerFunction(
      'ResourceCheck.check(string): Decision',
      (self: ResourceCheck, verb: string) => new Decision(self.authorize({ ...self.parts, verb })),
    )
    .registerFunction('Decision.allowed(): bool', (self: Decision) => self.allowed);
}
