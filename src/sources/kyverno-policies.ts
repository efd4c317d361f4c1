/** The kinds of policies that Kyverno's reports are about (Kyverno 1.17, https://kyverno.io/docs/policy-types/). */
import type { PolicyIntake } from './source.ts';

const celKinds = ['validatingpolicies', 'imagevalidatingpolicies', 'mutatingpolicies', 'generatingpolicies'];

function intake(group: string, versions: readonly string[], resource: string, namespaced: boolean): PolicyIntake {
  return { emits: 'kyverno', group, versions, resource, namespaced };
}

/** Metadata only: a result names its policy by name, or by namespace and name. */
export const kyvernoPolicies: readonly PolicyIntake[] = [
  intake('kyverno.io', ['v1', 'v2beta1'], 'clusterpolicies', false),
  intake('kyverno.io', ['v1', 'v2beta1'], 'policies', true),
  ...celKinds.flatMap((resource) => [
    intake('policies.kyverno.io', ['v1', 'v1beta1', 'v1alpha1'], resource, false),
    intake('policies.kyverno.io', ['v1', 'v1beta1', 'v1alpha1'], `namespaced${resource}`, true),
  ]),
];
