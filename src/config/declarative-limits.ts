/** Bounds of what a declared source may say, apart from the library that compiles it: the schema is always loaded. */

/** Characters of one expression. */
export const longestExpression = 2_048;
export const mostDeclaredSources = 32;
export const mostIdentityParts = 16;
