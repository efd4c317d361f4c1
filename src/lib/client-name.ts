/** The names of a client in its certificate, as the configuration writes them. */

/** One name, or `*` for any certificate that the CA signed. */
export const clientNamePattern = /^(?:\*|(?:CN=|DNS:|URI:|email:)[^\s,"][^,"]*)$/;

/** Subject and alternative names as Node gives them. */
export interface CertificateNames {
  readonly subject?: { readonly CN?: unknown } | undefined;
  readonly subjectaltname?: string | undefined;
}

const alternativeName = /(?:^|, )((?:DNS|URI|email):(?:("(?:[^"\\]|\\.)*")|[^,]*))/g;

/** Common name and alternative names. Node quotes those that could be mistaken for several: they are left out. */
export function namesOf({ subject, subjectaltname = '' }: CertificateNames): string[] {
  const commonName = subject?.CN;
  const names = typeof commonName === 'string' ? [`CN=${commonName}`] : [];
  for (const [, name = '', quoted] of subjectaltname.matchAll(alternativeName)) {
    if (quoted === undefined) names.push(name);
  }
  return names;
}
