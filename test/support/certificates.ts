/** Certificates for tests of TLS, made in memory: a CA, and what it signs. */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

/** A certificate with its key, in PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  readonly commonName: string;
  /** `DNS:localhost`, `URI:spiffe://...`, `IP:127.0.0.1`. */
  readonly alternativeNames?: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

interface Issuer {
  readonly name: Buffer;
  readonly key: KeyObject;
}

const hourMs = 3_600_000;

/** Signs certificates. */
export class CertificateAuthority {
  /** Its own certificate, in PEM. */
  readonly cert: string;
  readonly #issuer: Issuer;

  constructor(commonName = 'Test CA', validity: Pick<CertificateOptions, 'notBefore' | 'notAfter'> = {}) {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    this.#issuer = { name: nameOf(commonName), key: privateKey };
    this.cert = certificate(this.#issuer, publicKey, { commonName, ...validity }, true);
  }

  issue(options: CertificateOptions): Certificate {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    return {
      cert: certificate(this.#issuer, publicKey, options, false),
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    };
  }
}

function certificate(issuer: Issuer, publicKey: KeyObject, options: CertificateOptions, isCa: boolean): string {
  const { commonName, alternativeNames = [] } = options;
  const { notBefore = new Date(Date.now() - hourMs), notAfter = new Date(Date.now() + hourMs) } = options;
  const algorithm = sequence(oid('1.2.840.10045.4.3.2'));
  const extensions = [
    sequence(
      oid('2.5.29.19'),
      der(0x01, Buffer.of(0xff)),
      octets(sequence(...(isCa ? [der(0x01, Buffer.of(0xff))] : []))),
    ),
    ...(alternativeNames.length === 0
      ? []
      : [sequence(oid('2.5.29.17'), octets(sequence(...alternativeNames.map(generalName))))]),
  ];
  const body = sequence(
    der(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, Buffer.concat([Buffer.of(0x01), randomBytes(8)])),
    algorithm,
    issuer.name,
    sequence(time(notBefore), time(notAfter)),
    nameOf(commonName),
    publicKey.export({ type: 'spki', format: 'der' }) as Buffer,
    der(0xa3, sequence(...extensions)),
  );
  const signature = sign('sha256', body, issuer.key);
  const whole = sequence(body, algorithm, der(0x03, Buffer.concat([Buffer.of(0), signature])));
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function nameOf(commonName: string): Buffer {
  return sequence(der(0x31, sequence(oid('2.5.4.3'), der(0x0c, Buffer.from(commonName)))));
}

function generalName(name: string): Buffer {
  const [, kind, value = ''] = /^(DNS|URI|email|IP):(.*)$/.exec(name) ?? [];
  if (kind === 'IP') return der(0x87, Buffer.from(value.split('.').map(Number)));
  return der({ email: 0x81, DNS: 0x82, URI: 0x86 }[kind as 'DNS'] ?? 0, Buffer.from(value));
}

function time(at: Date): Buffer {
  return der(0x18, Buffer.from(`${at.toISOString().replace(/[-:T]|\.\d+/g, '')}`));
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const part of rest) {
    const groups = [part & 0x7f];
    for (let left = part >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return der(0x06, Buffer.from(bytes));
}

function octets(inner: Buffer): Buffer {
  return der(0x04, inner);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

/** One value: its tag, its length and its bytes. */
function der(tag: number, value: Buffer): Buffer {
  const { length } = value;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), value]);
  const size = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...size), value]);
}
