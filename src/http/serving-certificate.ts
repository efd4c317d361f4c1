/** Certificate, key and client CAs of the webhook port, put into its server anew whenever the files change. */
import { constants } from 'node:crypto';
import type { Server, ServerOptions } from 'node:https';
import { createSecureContext } from 'node:tls';
import { messageOf } from '../lib/error-message.ts';
import type { MountedFile } from './mounted-files.ts';
import { MountedFiles } from './mounted-files.ts';

/** Where they are. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCaFile?: string | undefined;
}

const fixed = {
  minVersion: 'TLSv1.2',
  // A resumed session would be let in by what was checked when it began.
  secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
} as const;

/** What the server is made with; until there is a certificate, no handshake succeeds. */
export function serverOptions({ clientCaFile }: TlsFiles): ServerOptions {
  // Who has no certificate, or a wrong one, is answered 401 by the route that asks for one.
  return { ...fixed, requestCert: clientCaFile !== undefined, rejectUnauthorized: false, handshakeTimeout: 10_000 };
}

export class ServingCertificate {
  readonly #mounted: MountedFiles;
  readonly #files: TlsFiles;
  readonly #told: (problem: string | undefined) => void;
  #server: Pick<Server, 'setSecureContext'> | undefined;

  /** `told`: undefined where they are in use now, else why they are not; the last good ones stay. */
  constructor(files: TlsFiles, told: (problem: string | undefined) => void) {
    const { certFile, keyFile, clientCaFile } = files;
    this.#files = files;
    this.#told = told;
    const paths = [certFile, keyFile, ...(clientCaFile === undefined ? [] : [clientCaFile])];
    this.#mounted = new MountedFiles(paths, (read) => this.#use(read));
  }

  /** Puts them into the server, now and whenever they change. */
  start(server: Pick<Server, 'setSecureContext'>, everyMs?: number): void {
    this.#server = server;
    this.#mounted.start(everyMs);
  }

  stop(): void {
    this.#mounted.stop();
  }

  #use(read: readonly MountedFile[]): void {
    const texts = new Map<string, string>();
    for (const file of read) {
      if ('problem' in file) {
        this.#told(`${file.path}: ${file.problem}`);
        return;
      }
      texts.set(file.path, file.text);
    }
    const { certFile, keyFile, clientCaFile } = this.#files;
    const ca = clientCaFile === undefined ? undefined : texts.get(clientCaFile);
    const options = {
      ...fixed,
      cert: texts.get(certFile),
      key: texts.get(keyFile),
      ...(ca === undefined ? {} : { ca }),
    };
    try {
      // Throws where key and certificate are not each other's: half of a rotation.
      createSecureContext(options);
      this.#server?.setSecureContext(options);
    } catch (error) {
      this.#told(`${certFile}, ${keyFile}: ${messageOf(error)}`);
      return;
    }
    this.#told(undefined);
  }
}
