/** The part of the configuration about webhooks: docs/webhooks.md. */
import * as z from 'zod/mini';
import { clientNamePattern } from '../lib/client-name.ts';

const mebibyte = 2 ** 20;
const most = { files: 16, subjects: 64 };

const port = z.int().check(z.gte(0), z.lte(65535));
const file = z.string().check(z.minLength(1), z.maxLength(4096));
const subject = z
  .string()
  .check(
    z.maxLength(512),
    z.regex(
      clientNamePattern,
      'CN=name, DNS:name, URI:uri or email:address as in the certificate, or * for any of the CA',
    ),
  );

const tlsSchema = z.strictObject({
  /** Certificate chain and key in PEM; read again when they change. */
  certFile: file,
  keyFile: file,
  /** CAs of clients in PEM: certificates are asked for, and accepted where a route names their subjects. */
  clientCaFile: z.optional(file),
});

const routeSchema = z
  .strictObject({
    /** Bearer tokens: files with one on each line, or folders of such files; read again when they change. */
    tokenFiles: z._default(z.array(file).check(z.maxLength(most.files)), []),
    /** Clients whose certificate has one of these names. */
    mtls: z.optional(z.strictObject({ subjects: z.array(subject).check(z.minLength(1), z.maxLength(most.subjects)) })),
    /** Anybody who reaches the port may send. */
    open: z._default(z.boolean(), false),
    /** Requests at one time; more are answered 429. */
    maxInFlight: z._default(z.int().check(z.gte(1), z.lte(10_000)), 256),
  })
  .check(
    z.refine(
      ({ open, tokenFiles, mtls }) => !open || (tokenFiles.length === 0 && mtls === undefined),
      'is open and has credentials: an open route asks for none, so remove one of them',
    ),
  );

/** `webhooks` of the configuration. */
export const webhooksSchema = z
  .strictObject({
    /** 0 takes a free port. */
    port: z._default(port, 8081),
    host: z._default(z.string(), '0.0.0.0'),
    /** Serve them on the port of /metrics too, without TLS: where older versions did. */
    legacyPort: z._default(z.boolean(), false),
    tls: z.optional(tlsSchema),
    /** By name of the source. A route without credentials is not there unless it is open. */
    routes: z._default(z.record(z.string(), routeSchema), {}),
    /** Connections at one time; more are closed. */
    maxConnections: z._default(z.int().check(z.gte(1), z.lte(100_000)), 1_000),
    /** Bytes of one body, before and after it is unpacked. */
    maxBodyBytes: z._default(z.int().check(z.gte(1024), z.lte(64 * mebibyte)), 10 * mebibyte),
    /** Bytes of all bodies that were read and are not yet taken in. */
    maxBytesInFlight: z._default(z.int().check(z.gte(1024), z.lte(512 * mebibyte)), 24 * mebibyte),
  })
  .check(
    z.superRefine(({ routes, tls, maxBodyBytes, maxBytesInFlight }, context) => {
      for (const [name, { mtls }] of Object.entries(routes)) {
        if (mtls === undefined || tls?.clientCaFile !== undefined) continue;
        const message = 'needs webhooks.tls.clientCaFile: the CA that signs the certificates of clients';
        context.addIssue({ code: 'custom', path: ['routes', name, 'mtls'], message });
      }
      if (maxBodyBytes > maxBytesInFlight) {
        const message = 'is more than maxBytesInFlight: no such body would ever be taken';
        context.addIssue({ code: 'custom', path: ['maxBodyBytes'], message });
      }
    }),
  );

/** Checked, with its defaults. */
export type WebhooksConfig = z.infer<typeof webhooksSchema>;
