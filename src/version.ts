import packageJson from '../package.json' with { type: 'json' };

/** The version of this build, from package.json; the bundle has it built in. */
export const version: string = packageJson.version;
