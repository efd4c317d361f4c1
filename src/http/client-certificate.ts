/** Whether a client is let in by its certificate. */
import type { TLSSocket } from 'node:tls';
import type { CertificateNames } from '../lib/client-name.ts';
import { namesOf } from '../lib/client-name.ts';

/** What is wrong with a client, in words; undefined when one of the names is its own. */
export function whyNotClient(socket: TLSSocket, names: readonly string[], now: Date): string | undefined {
  const certificate = socket.getPeerCertificate();
  if (Object.keys(certificate).length === 0) return 'a client certificate is needed';
  if (!socket.authorized) return `the client certificate is not accepted: ${String(socket.authorizationError)}`;
  // The connection may be older than that.
  if (new Date(certificate.valid_to).getTime() <= now.getTime()) return 'the client certificate has expired';
  const isNamed = names.includes('*') || namesOf(certificate as CertificateNames).some((name) => names.includes(name));
  return isNamed ? undefined : 'the client certificate is of nobody who may send here';
}
