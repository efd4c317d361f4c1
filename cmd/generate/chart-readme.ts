/** The text of the chart's README before the table of values. */

export const chartHead = `# zen-watcher

Keeps one normalized \`ZenAgentEvent\` per finding of a cluster's security tools.

Generated from cmd/generate/chart-readme.ts and values.yaml by \`npm run generate\`. Do not edit.

## Install

\`\`\`
helm install zen-watcher ./charts/zen-watcher \\
  --set networkPolicy.enabled=true --set podSecurityStandards.enabled=true --set image.verifySignature=true
kubectl get zenevents -n zen-system --watch
\`\`\`

Kubernetes 1.32 or newer. All objects go to \`namespaceOverride\` (\`zen-system\`), whatever \`-n\` says; the release is recorded
where \`-n\` says.

| | |
|---|---|
| upgrade | \`helm upgrade zen-watcher ./charts/zen-watcher\` brings the CRD up to date: it is a template |
| uninstall | \`helm uninstall zen-watcher\` keeps the CRD, the namespace and so all events; \`kubectl delete crd zenagentevents.zen.kube-zen.io\` removes them |
| the namespace is there already | it is left as it is, labels too; NOTES print the command that sets them |
| the CRD is there already | it is left as it is and stays with whoever applied it; \`--set crd.install=true --take-ownership\` takes it over |
| GitOps, \`helm template\` | renders namespace and CRD; \`namespace.create\` and \`crd.install\` say otherwise |
| a second release | its own \`namespaceOverride\`; cluster-wide names carry it |

## Least privilege

The rules of each source come from the program (\`files/rbac.yaml\`, generated). Switching a source off takes both away:

\`\`\`
--set config.sources.policyreport.enabled=false
\`\`\`

[RBAC.md](../../RBAC.md) has every rule with its reason.

## Values
`;
