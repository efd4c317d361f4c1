/** Google Cloud's form of an audit event of GKE: a LogEntry whose protoPayload is an AuditLog of the service k8s.io. */
import type { Fields } from '../lib/fields.ts';
import { asFields, asNumber, asText, at, textAt } from '../lib/fields.ts';

/** Whether a log entry holds an audit event of Kubernetes. */
export function isGoogleAudit(entry: Fields): boolean {
  return textAt(entry, 'protoPayload', 'serviceName') === 'k8s.io';
}

/** Codes of gRPC in the status of an AuditLog, as the HTTP status that the API server answered with. */
const httpStatus: Readonly<Record<number, number>> = {
  0: 200,
  3: 400,
  5: 404,
  6: 409,
  7: 403,
  8: 429,
  9: 409,
  10: 409,
  16: 401,
};

/** The entry as an audit.k8s.io/v1 Event. What GKE leaves out (groups of the user, who somebody acted as) is absent. */
export function eventOfGoogle(entry: Fields): Fields {
  const payload = asFields(entry['protoPayload']) ?? {};
  const caller = asFields(payload['requestMetadata']) ?? {};
  const address = asText(caller['callerIp']);
  const status = asNumber(at(payload, 'status', 'code')) ?? 0;
  return {
    auditID: textAt(entry, 'operation', 'id') ?? entry['insertId'],
    stage: 'ResponseComplete',
    verb: textAt(payload, 'methodName')?.split('.').at(-1),
    user: { username: textAt(payload, 'authenticationInfo', 'principalEmail') },
    objectRef: objectOf(textAt(payload, 'resourceName') ?? ''),
    responseStatus: { code: httpStatus[status] ?? 500 },
    requestObject: payload['request'],
    responseObject: payload['response'],
    requestURI: '',
    sourceIPs: address === undefined ? [] : [address],
    userAgent: caller['callerSuppliedUserAgent'],
    annotations: asFields(entry['labels']) ?? {},
    stageTimestamp: entry['timestamp'],
  };
}

/** `rbac.authorization.k8s.io/v1/clusterrolebindings/x`, `core/v1/namespaces/store/pods/shop/exec`. */
function objectOf(resourceName: string): Fields {
  const [group = '', version = '', ...path] = resourceName.split('/');
  const isInNamespace = path[0] === 'namespaces' && path.length > 2 && !ofNamespaces.includes(path[2] ?? '');
  const [resource, name, subresource] = isInNamespace ? path.slice(2) : path;
  const namespace = path[0] === 'namespaces' ? path[1] : undefined;
  return {
    apiGroup: group === 'core' ? '' : group,
    apiVersion: version,
    resource,
    name,
    subresource,
    namespace,
  };
}

/** Subresources of namespaces themselves. */
const ofNamespaces: readonly string[] = ['status', 'finalize'];
