/** `registry/repository` of an image: without tag and digest, which change with every build. */
export function repositoryOf(image: string): string {
  const [name = ''] = image.trim().split('@', 1);
  // A colon before the last slash belongs to the registry's port.
  const colon = name.indexOf(':', name.lastIndexOf('/') + 1);
  return colon === -1 ? name : name.slice(0, colon);
}
